//! The values of the protocols for the report, each marked as the paper's or chosen.

use pvlu_zoo::registry;

use super::definition::Protocol;
use super::paper::{self, Table};

const PAPER: &str = "paper";
const CHOSEN: &str = "chosen";

/// Name, value and source of each value of the paper's tables and then of others; the source is "paper" or "chosen".
pub fn list(own: &[Table]) -> Vec<(String, String, &'static str)> {
    let mut values = of_tables();
    for table in own {
        let of_own =
            table.protocol().values.iter().map(|marked| {
                (format!("{}: {}", table.name(), marked.key), marked.value.clone(), source(marked.of_paper))
            });
        values.extend(of_own);
    }
    values
}

fn source(of_paper: bool) -> &'static str {
    if of_paper { PAPER } else { CHOSEN }
}

/// The values of the paper's tables: those of several tables once.
fn of_tables() -> Vec<(String, String, &'static str)> {
    let tables: Vec<&Protocol> = paper::all().iter().map(|table| table.protocol()).collect();
    let [table1, table2, table3, table4, table5, table6] = tables[..] else { return Vec::new() };
    let seeds = |of: &Protocol| of.full.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let marked = |of: &Protocol, key: &str| source(of.is_of_paper(key));
    let both = |of: &Protocol| format!("{}, {}", of.full.first_epochs, of.full.epochs);
    let first_rate = |of: &Protocol| of.pretrained().map_or(0.0, |pretrained| pretrained.first_learning_rate);
    let augmentation = |of: &Protocol| of.augmentation.unwrap_or_default();
    let cutout = |of: &Protocol| augmentation(of).cutout.unwrap_or(0).to_string();
    let filter = table4.filter.map(|of| format!("Gaussian, sigma {}, radius {}", of.sigma, of.radius));
    let large = table5.full.networks.first().and_then(|name| registry::find(name).ok());
    let line = |what: &str, value: String, source| (what.to_owned(), value, source);
    vec![
        line("tables 1 and 2: epochs", table1.full.epochs.to_string(), marked(table1, "budget.full.epochs")),
        line(
            "tables 1 and 2: images in a step",
            table1.full.batch_size.to_string(),
            marked(table1, "budget.full.batch_size"),
        ),
        line(
            "tables 1 and 2: Adam's learning rate",
            format!("{:e}", table1.training.learning_rate),
            marked(table1, "optimizer.learning_rate"),
        ),
        line("table 1: seeds", seeds(table1), marked(table1, "budget.full.seeds")),
        line("table 2: seeds", seeds(table2), marked(table2, "budget.full.seeds")),
        line(
            "table 2: augmentation",
            format!("flips, shifts by up to {} pixels", augmentation(table2).shift),
            marked(table2, "augmentation"),
        ),
        line("six convolutions: widths", "32, 32, 64, 64, 128, 128, dense 512".to_owned(), CHOSEN),
        line("PVLU from scratch: alpha, beta", "0.5, 1".to_owned(), CHOSEN),
        line("PVLU after a swap: alpha, beta", "0, 1".to_owned(), PAPER),
        line(
            "held-out share of each class, which picks the epoch",
            table1.data.held_out.to_string(),
            marked(table1, "data.held_out"),
        ),
        line("tables 3 to 6: seeds", seeds(table3), marked(table3, "budget.full.seeds")),
        line("tables 3 and 4: epochs with ReLU, of each arm", both(table3), marked(table3, "budget.full.epochs")),
        line("tables 5 and 6: epochs with ReLU, of each arm", both(table5), marked(table5, "budget.full.epochs")),
        line(
            "tables 3 to 6: images in a step",
            table3.full.batch_size.to_string(),
            marked(table3, "budget.full.batch_size"),
        ),
        line(
            "tables 3 to 6: optimizer",
            "Adam, half a cosine to zero".to_owned(),
            source(table3.is_of_paper("optimizer.kind") && table3.is_of_paper("schedule")),
        ),
        line(
            "tables 3 and 4: learning rate of the head",
            format!("{:e}", first_rate(table3)),
            marked(table3, "optimizer.first_learning_rate"),
        ),
        line(
            "tables 3 to 6: learning rate of an arm",
            format!("{:e}", table3.training.learning_rate),
            marked(table3, "optimizer.learning_rate"),
        ),
        line("table 4: filter", filter.unwrap_or_default(), marked(table4, "filter")),
        line(
            "tables 5 and 6: cutout, side of the square",
            [table5, table6].map(cutout).join(" and "),
            marked(table5, "augmentation.cutout"),
        ),
        line(
            "tables 5 and 6: flips, and shifts by up to so many of 32 pixels",
            augmentation(table5).shift.to_string(),
            marked(table5, "augmentation.shift"),
        ),
        line(
            "tables 5 and 6: side of ImageNet's ResNets' images",
            large.map_or(0, |entry| table5.image(entry).0).to_string(),
            CHOSEN,
        ),
        line("arms beside ReLU and PVLU", "ReLU with more training, PReLU, fixed VLU".to_owned(), CHOSEN),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_value_has_a_source_and_no_two_have_one_name() {
        let values = super::list(&[]);
        assert_eq!(values.len(), 22);
        let mut names: Vec<&str> = values.iter().map(|(what, _, _)| what.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), values.len());
        assert!(values.iter().all(|(_, value, source)| !value.is_empty() && ["paper", "chosen"].contains(source)));
        let source = |name: &str| values.iter().find(|(what, _, _)| what == name).unwrap().2;
        assert_eq!(source("table 1: seeds"), "paper");
        assert_eq!(source("tables 5 and 6: epochs with ReLU, of each arm"), "paper");
        assert_eq!(source("tables 3 and 4: epochs with ReLU, of each arm"), "chosen");
    }
}
