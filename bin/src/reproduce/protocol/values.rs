//! The values of the protocols for the report, each marked as the paper's or chosen.

use crate::reproduce::protocol::paper::{TABLE1, TABLE2};
use crate::reproduce::protocol::paper::{TABLE5, TABLE6};
use crate::reproduce::protocol::{budget, pretrained};

const PAPER: &str = "paper";
const CHOSEN: &str = "chosen";

/// Name, value and source of each value; the source is "paper" or "chosen".
pub fn list() -> Vec<(String, String, &'static str)> {
    let seeds = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let line = |what: &str, value: String, source| (what.to_owned(), value, source);
    let filter = pretrained::FILTER;
    vec![
        line("tables 1 and 2: epochs", budget::EPOCHS.to_string(), CHOSEN),
        line("tables 1 and 2: images in a step", budget::BATCH_SIZE.to_string(), CHOSEN),
        line("tables 1 and 2: Adam's learning rate", format!("{:e}", budget::LEARNING_RATE), CHOSEN),
        line("table 1: seeds", seeds(TABLE1.seeds), PAPER),
        line("table 2: seeds", seeds(TABLE2.seeds), PAPER),
        line("table 2: augmentation", format!("flips, shifts by up to {} pixels", budget::SHIFT), CHOSEN),
        line("six convolutions: widths", "32, 32, 64, 64, 128, 128, dense 512".to_owned(), CHOSEN),
        line("PVLU from scratch: alpha, beta", "0.5, 1".to_owned(), CHOSEN),
        line("PVLU after a swap: alpha, beta", "0, 1".to_owned(), PAPER),
        line("held-out share of each class, which picks the epoch", budget::HELD_OUT.to_string(), CHOSEN),
        line("tables 3 to 6: seeds", seeds(pretrained::SEEDS), CHOSEN),
        line("tables 3 and 4: epochs with ReLU, of each arm", both(), CHOSEN),
        line("tables 5 and 6: epochs with ReLU, of each arm", both(), PAPER),
        line("tables 3 to 6: images in a step", pretrained::BATCH_SIZE.to_string(), CHOSEN),
        line("tables 3 to 6: optimizer", "Adam, half a cosine to zero".to_owned(), CHOSEN),
        line("tables 3 and 4: learning rate of the head", format!("{:e}", pretrained::HEAD_LEARNING_RATE), CHOSEN),
        line("tables 3 to 6: learning rate of an arm", format!("{:e}", pretrained::LEARNING_RATE), CHOSEN),
        line("table 4: filter", format!("Gaussian, sigma {}, radius {}", filter.sigma, filter.radius), CHOSEN),
        line(
            "tables 5 and 6: cutout, side of the square",
            [TABLE5, TABLE6].map(|table| table.cutout.unwrap_or(0).to_string()).join(" and "),
            CHOSEN,
        ),
        line("tables 5 and 6: flips, and shifts by up to so many of 32 pixels", pretrained::SHIFT.to_string(), CHOSEN),
        line("tables 5 and 6: side of ImageNet's ResNets' images", pretrained::LARGE.to_string(), CHOSEN),
        line("arms beside ReLU and PVLU", "ReLU with more training, PReLU, fixed VLU".to_owned(), CHOSEN),
    ]
}

fn both() -> String {
    format!("{}, {}", pretrained::FIRST_EPOCHS, pretrained::EPOCHS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_value_has_a_source_and_no_two_have_one_name() {
        let values = super::list();
        let mut names: Vec<&str> = values.iter().map(|(what, _, _)| what.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), values.len());
        assert!(values.iter().all(|(_, value, source)| !value.is_empty() && ["paper", "chosen"].contains(source)));
    }
}
