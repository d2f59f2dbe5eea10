//! Files in the form in which `reproduce` writes them, with invented numbers, for the tests.

use std::fs;
use std::path::Path;

use crate::common::statistics::verdict::{self, Comparison, Kind};

const BASE: &str = "relu";
const PROPOSED: &str = "pvlu";

/// Header of `tableN.csv`, with the columns of runs.
pub const RUNS: &str = "run_id,table,model,arm,activation,seed,data,preset,pretrained,status,trained_parameters,\
    before_top1,final_top1,val_selected_top1,peak_top1,paper_top1,rel_error_decrease,paper_rel_error_decrease,\
    difference,difference_low,difference_high,comparison,p_value,p_adjusted,verdict,improvement,spread,\
    expected_spread,val_selected_epoch,runs,died,classes,train_images,val_images,test_images,batch_size,\
    first_epochs,epochs,first_learning_rate,learning_rate,overridden,data_warnings,step_seconds,train_seconds";
/// Header of `tableN_epochs.csv`, without the column `activation`.
pub const EPOCHS: &str = "run_id,table,model,arm,seed,data,preset,epoch,learning_rate,train_loss,train_top1,\
    val_loss,val_top1,test_loss,test_top1,test_top5,epoch_seconds";
/// Header of `tableN_parameters.csv`, without the column `activation`.
pub const PARAMETERS: &str = "run_id,table,model,arm,seed,layer,order,parameter,channels,minimum,first_quartile,median,\
    third_quartile,maximum,mean";
/// Header of `tableN_units.csv`, without the column `activation`.
pub const UNITS: &str = "run_id,table,model,arm,seed,layer,order,units,dead,share";
/// Header of `figure4.csv`, with the columns of images.
pub const IMAGES: &str = "image,label,stage,width,height,source,sigma,radius,pixels";

const FLAT: &[&str] = &["relu", "leaky_relu", "elu", "prelu", "vlu", "pvlu"];
const TUNED: &[&str] = &["relu", "relu_affine", "prelu", "vlu", "pvlu"];

/// Writes a file: header and rows.
pub fn file(folder: &Path, name: &str, header: &str, rows: &[String]) {
    let mut text = format!("{header}\n");
    rows.iter().for_each(|row| {
        text.push_str(row);
        text.push('\n');
    });
    fs::write(folder.join(name), text).unwrap();
}

/// A pseudorandom number between 0 and 1, the same each time for a key.
pub fn chance(key: u32) -> f64 {
    let mixed = key.wrapping_add(1).wrapping_mul(0x9e37_79b1);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
    f64::from(mixed ^ mixed >> 13) / f64::from(u32::MAX)
}

/// The rows of a table: each model with each arm, its seeds and its summary.
pub fn runs(table: u32, models: &[&str], arms: &[&str], seeds: u32, data: &str, preset: &str) -> Vec<String> {
    let mut rows = Vec::new();
    // Differences of one sign.
    let compared: Vec<&str> = arms.iter().copied().filter(|arm| *arm != BASE).collect();
    let of = |arm: &&str| {
        let kind = if *arm == PROPOSED { Kind::Planned } else { Kind::Exploratory };
        (vec![0.01; seeds as usize], kind)
    };
    let judged: Vec<(&str, Comparison)> =
        compared.iter().copied().zip(verdict::judge(compared.iter().map(of).collect())).collect();
    let row = |model: &str, arm: &str, seed: &str, status: &str, numbers: [String; 12]| {
        let [final_, selected, peak, paper, decrease, paper_decrease, difference, low, high, epoch, lived, died] =
            numbers;
        let found = judged.iter().find(|(of, _)| seed == "mean" && *of == arm);
        let judged = match found {
            Some((_, Comparison { kind, p_value, adjusted, verdict, .. })) => {
                format!("{},{p_value:.6},{adjusted:.6},{verdict},0.75,0.002,0.003", kind.name())
            }
            None if seed == "mean" => ",,,,,0.002,0.003".to_owned(),
            None => ",,,,,,".to_owned(),
        };
        format!(
            "t{table}-{model}-{arm}-{seed},table{table},{model},{arm},{arm},{seed},{data},{preset},no,{status},1234,\
             0.1,{final_},{selected},{peak},{paper},{decrease},{paper_decrease},{difference},{low},{high},{judged},\
             {epoch},{lived},{died},10,45000,5000,10000,128,,100,,1e-3,,,0.01,12.5"
        )
    };
    for (place, model) in (0_u32..).zip(models) {
        for (rank, arm) in (0_u32..).zip(arms) {
            let lift = f64::from(rank) * 0.011;
            let top1 =
                |seed: u32, arm_lift: f64| 0.55 + 0.05 * f64::from(place) + arm_lift + 0.02 * chance(seed + 7 * rank);
            for seed in 0..seeds {
                let (value, base) = (top1(seed, lift), 0.55 + 0.05 * f64::from(place) + 0.02 * chance(seed));
                let empty = String::new;
                rows.push(row(
                    model,
                    arm,
                    &seed.to_string(),
                    "finished",
                    [
                        format!("{:.6}", value - 0.004),
                        format!("{value:.6}"),
                        format!("{:.6}", value + 0.005),
                        "0.566".to_owned(),
                        format!("{:.6}", (value - base) / (1.0 - base)),
                        empty(),
                        format!("{:.6}", value - base),
                        empty(),
                        empty(),
                        "87".to_owned(),
                        empty(),
                        empty(),
                    ],
                ));
            }
            let mean = 0.56 + 0.05 * f64::from(place) + lift;
            let number = |value: f64| format!("{value:.6}");
            let ends = |value: f64| if seeds >= 6 && rank > 0 { number(value) } else { String::new() };
            rows.push(row(
                model,
                arm,
                "mean",
                "summary",
                [
                    number(mean - 0.004),
                    number(mean),
                    number(mean + 0.005),
                    number(mean + 0.02),
                    number(lift / 0.44),
                    "0.163".to_owned(),
                    number(lift),
                    ends(lift - 0.009),
                    ends(lift + 0.009),
                    String::new(),
                    seeds.to_string(),
                    "0".to_owned(),
                ],
            ));
            let error = || if seeds > 1 { number(0.0021) } else { String::new() };
            rows.push(row(
                model,
                arm,
                "standard_error",
                "summary",
                [
                    error(),
                    error(),
                    error(),
                    number(0.002),
                    error(),
                    String::new(),
                    error(),
                    String::new(),
                    String::new(),
                    String::new(),
                    seeds.to_string(),
                    "0".to_owned(),
                ],
            ));
        }
    }
    rows
}

/// The rows of the epochs of some models, each with those of [`epochs`].
pub fn epochs_of(models: &[&str], count: u32, arms: &[&str], seeds: u32) -> Vec<String> {
    let rows = epochs(count, arms, seeds);
    let of = |model: &&str| rows.iter().map(|row| row.replace("sequential6conv", model)).collect::<Vec<_>>();
    models.iter().flat_map(of).collect()
}

/// The rows of the epochs of table 1.
pub fn epochs(count: u32, arms: &[&str], seeds: u32) -> Vec<String> {
    let mut rows = Vec::new();
    for (rank, arm) in (0_u32..).zip(arms) {
        for seed in 0..seeds {
            for epoch in 1..=count {
                let share = f64::from(epoch) / f64::from(count);
                let noise = 0.02 * chance(epoch * 31 + seed * 977 + rank * 7919);
                let top1 = 0.1 + (0.4 + 0.02 * f64::from(rank)) * (1.0 - (-6.0 * share).exp()) + noise;
                rows.push(format!(
                    "t1-{arm}-{seed},table1,sequential6conv,{arm},{seed},cifar10,paper,{epoch},1e-3,1.5,0.4,1.6,0.4,\
                     1.6,\
                     {top1:.6},0.9,3.2"
                ));
            }
        }
    }
    rows
}

/// The rows of the parameters of a table.
pub fn parameters(models: &[&str], layers: u32, seeds: u32) -> Vec<String> {
    let mut rows = Vec::new();
    for model in models {
        for (seed, layer) in (0..seeds).flat_map(|seed| (0..layers).map(move |layer| (seed, layer))) {
            for (parameter, level) in [("alpha", 0.8), ("beta", 1.1)] {
                let median = level + 0.3 * chance(layer * 17 + seed);
                rows.push(format!(
                    "x,table1,{model},pvlu,{seed},act{layer},{layer},{parameter},64,0.1,{},{median},{},2,{median}",
                    median - 0.2,
                    median + 0.15
                ));
            }
            rows.push(format!("x,table1,{model},prelu,{seed},act{layer},{layer},slope,64,0.1,0.2,0.25,0.3,0.5,0.25"));
        }
    }
    rows
}

/// The rows of the dead units of a table.
pub fn units(models: &[&str], layers: u32, seeds: u32) -> Vec<String> {
    let mut rows = Vec::new();
    for model in models {
        for (rank, arm) in (0_u32..).zip(FLAT) {
            for (seed, layer) in (0..seeds).flat_map(|seed| (0..layers).map(move |layer| (seed, layer))) {
                let share = if rank == 0 { 0.3 * chance(layer * 13 + seed) } else { 0.002 * chance(layer) };
                rows.push(format!("x,table1,{model},{arm},{seed},act{layer},{layer},64,{},{share:.6}", 64.0 * share));
            }
        }
    }
    rows
}

/// The rows of images: color gradients before the filter, and darker ones after it.
pub fn images(count: u32, edge: u32) -> Vec<String> {
    let mut rows = Vec::new();
    for image in 0..count {
        for (stage, factor) in [("before", 255), ("after", 120)] {
            let mut pixels = String::new();
            for (plane, y, x) in (0..3).flat_map(|p| (0..edge).flat_map(move |y| (0..edge).map(move |x| (p, y, x)))) {
                let value = (x * (plane + 1) + y * (image + 1)) * factor / edge % 256;
                pixels.push_str(&format!("{value:02x}"));
            }
            rows.push(format!("{image},class {image},{stage},{edge},{edge},cifar10,1,4,{pixels}"));
        }
    }
    rows
}

/// Writes all files, as large as real ones.
pub fn all(folder: &Path) {
    let six = ["sequential6conv"];
    let tuned = ["vgg16", "resnet50", "mobilenet_v2", "densenet121"];
    file(folder, "table1.csv", RUNS, &runs(1, &six, FLAT, 8, "cifar10", "paper"));
    file(folder, "table2.csv", RUNS, &runs(2, &six, FLAT, 1, "procedural", "quick"));
    for table in 3..=6_u32 {
        file(folder, &format!("table{table}.csv"), RUNS, &runs(table, &tuned, TUNED, 3, "cifar100", "paper"));
    }
    file(folder, "table1_epochs.csv", EPOCHS, &epochs(100, FLAT, 5));
    file(folder, "table2_epochs.csv", EPOCHS, &epochs(7, FLAT, 1));
    file(folder, "table3_epochs.csv", EPOCHS, &epochs_of(&tuned, 15, TUNED, 3));
    file(folder, "table1_parameters.csv", PARAMETERS, &parameters(&six, 6, 5));
    file(folder, "table3_parameters.csv", PARAMETERS, &parameters(&tuned, 49, 3));
    file(folder, "table1_units.csv", UNITS, &units(&six, 6, 5));
    file(folder, "table3_units.csv", UNITS, &units(&tuned[..3], 49, 3));
    file(folder, "figure4.csv", IMAGES, &images(8, 32));
    let rows: Vec<String> = super::figure1_rows(vlu).into_iter().map(|row| row.join(",")).collect();
    file(folder, "figure1.csv", "a,b,x,value,derivative", &rows);
    let details = r#"{"configuration": {"preset": "paper", "<b>": "a | b"}, "versions": {"pvlu": "0.1.0"},
        "machines": [{"cores": 2}], "seconds": 12.5}"#;
    fs::write(folder.join("table1.json"), details).unwrap();
}

/// A function with a kink and waves, and its derivative, of the kind of VLU.
pub fn vlu(a: f64, b: f64, x: f64) -> (f64, f64) {
    (x.max(0.0) + a * (b * x).sin(), f64::from(u8::from(x > 0.0)) + a * b * (b * x).cos())
}
