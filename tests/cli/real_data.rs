//! The real images, where the repository has its shared folder beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Ran, number, with_data};

/// The shared folder. Without it the test is skipped with a message, or fails if `PVLU_REQUIRE_SHARED` is 1.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if folder.join("data/unpack.sh").is_file() {
        return Some(folder);
    }
    let message = format!("no {}", folder.join("data/unpack.sh").display());
    assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none_or(|value| value != "1"), "{message}");
    println!("skipped: {message}");
    None
}

#[test]
fn real_images_are_read() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    let images = place.path("images");
    let unpacked = Command::new(shared.join("data/unpack.sh")).arg(&images).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));

    let command = place.command("table1 --epochs 1 --seeds 0 --activations pvlu --limit-train 300 --limit-test 100");
    let ran = Ran::of(with_data(command, &images)).succeeded();
    assert!(ran.stderr.contains("CIFAR-100 from"), "{ran:?}");
    assert!(ran.stderr.contains("warning: cifar100 train: 10000 images, the official set has 50000"), "{ran:?}");
    let runs = place.csv("table1.csv");
    let row = &runs.rows[0];
    let preset = "paper, 1 of 100 epochs, 300 of 10000 training images, 100 of 10000 test images";
    assert_eq!(["data", "preset", "classes"].map(|field| row[field].as_str()), ["cifar100", preset, "100"]);
    assert_eq!(number(row, "train_images") + number(row, "val_images"), 300.0);
    assert_eq!(number(row, "test_images"), 100.0);
    assert_eq!(row["data_warnings"], "cifar100 train: 10000 images, the official set has 50000");
    let epoch = &place.csv("table1_epochs.csv").rows[0];
    for column in ["train_loss", "val_loss", "test_loss"] {
        assert!((0.0..20.0).contains(&number(epoch, column)), "{column}: {epoch:?}");
    }

    // The folder of CIFAR-10 beside it is not mistaken for it.
    let command = place.command("table1 --epochs 1");
    Ran::of(with_data(command, images.join("cifar-10-batches-bin")))
        .failed_in_one_line(1, &["cifar-10-batches-bin", "expected CIFAR-100, found CIFAR-10"]);
}
