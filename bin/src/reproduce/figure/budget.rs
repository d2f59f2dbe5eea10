//! Texts on the data, epochs and images that the rows of a table were trained with.

use crate::common::error::CliError;
use crate::reproduce::figure::records::{Records, Row};

/// Names of the presets that are not shown, since the numbers of epochs and images say as much.
const PLAIN: [&str; 2] = ["paper", "full"];

/// Epochs and training images of a row, and its preset where that says more: "3 epochs of 4,506 images after 5 with
/// ReLU".
///
/// # Errors
///
/// [`CliError::Damaged`] if the file has no column `preset`.
pub fn budget(row: &Row<'_>) -> Result<String, CliError> {
    let [epochs, first, images] = ["epochs", "first_epochs", "train_images"].map(|column| row.optional(column));
    let mut parts = Vec::new();
    if !epochs.is_empty() {
        let mut text = counted(epochs, "epoch");
        if !images.is_empty() {
            text.push_str(&format!(" of {}", counted(images, "image")));
        }
        if !first.is_empty() {
            text.push_str(&format!(" after {first} with ReLU"));
        }
        parts.push(text);
    }
    parts.extend(preset(row.text("preset")?));
    Ok(parts.join("; "))
}

/// Data and budgets of the rows of a table's file, for the line below the title of a figure.
///
/// # Errors
///
/// [`CliError::Damaged`] if the file has no column `data` or `preset`.
pub fn of_runs(records: &Records) -> Result<String, CliError> {
    let mut budgets: Vec<String> = Vec::new();
    for row in records.rows() {
        let budget = budget(&row)?;
        if !budget.is_empty() && !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    let data = format!("data: {}", records.distinct("data")?.join(", "));
    Ok(if budgets.is_empty() { data } else { format!("{data}; {}", budgets.join(", or ")) })
}

/// Data, epochs and seeds of a file with a row for each epoch, which has no number of images.
///
/// # Errors
///
/// [`CliError::Damaged`] if a column is missing or an epoch is no number.
pub fn of_epochs(records: &Records) -> Result<String, CliError> {
    let mut last = 0;
    for row in records.rows() {
        last = last.max(row.whole("epoch")?);
    }
    let seeds = records.distinct("seed")?.len();
    let mut parts = vec![
        format!("data: {}", records.distinct("data")?.join(", ")),
        counted(&last.to_string(), "epoch"),
        counted(&seeds.to_string(), "seed"),
    ];
    parts.extend(records.distinct("preset")?.into_iter().filter_map(preset));
    Ok(parts.join("; "))
}

/// The text on a preset; `None` for a whole one, which the numbers of epochs and images describe.
fn preset(name: &str) -> Option<String> {
    (!name.is_empty() && !PLAIN.contains(&name)).then(|| format!("preset: {name}"))
}

/// A count with its unit, in the plural except for 1: "4,506 images".
pub fn counted(count: &str, unit: &str) -> String {
    format!("{} {unit}{}", grouped(count), if count == "1" { "" } else { "s" })
}

/// The digits of a whole number in groups of three; another text stays as it is.
fn grouped(count: &str) -> String {
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return count.to_owned();
    }
    let mut out = String::new();
    for (index, digit) in count.chars().enumerate() {
        if index > 0 && (count.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_in_the_plural_but_for_one() {
        let counts = [("1", "1 image"), ("0", "0 images"), ("45000", "45,000 images"), ("123456", "123,456 images")];
        for (count, expected) in counts {
            assert_eq!(counted(count, "image"), expected);
        }
        assert_eq!(grouped("many"), "many");
    }
}
