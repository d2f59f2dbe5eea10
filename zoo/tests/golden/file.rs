//! Reading of golden files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::original;

/// Expected results of a model; the fields are described in `tests/golden/README.md`. Those that a cut file does not
/// have are `None` or empty.
#[derive(Debug, Deserialize)]
pub struct Golden {
    pub input: Input,
    pub classes: usize,
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub shapes: Vec<Vec<usize>>,
    #[serde(default)]
    pub sites: Vec<Site>,
    /// Logits kept of each image, where they were cut.
    pub logits_kept: Option<usize>,
    pub relu_eval_logits: Vec<f64>,
    pub pvlu_eval: Option<Pass>,
    pub pvlu_train: Option<Pass>,
}

#[derive(Debug, Deserialize)]
pub struct Input {
    pub shape: [usize; 4],
}

#[derive(Debug, Deserialize)]
pub struct Site {
    pub channels: usize,
}

/// A forward and backward pass.
#[derive(Debug, Deserialize)]
pub struct Pass {
    pub logits: Vec<f64>,
    pub input_grad: Stats,
    pub alpha_grad: Vec<Option<Stats>>,
    pub beta_grad: Vec<Option<Stats>>,
    pub param_grad: BTreeMap<String, Stats>,
    #[serde(default)]
    pub running: BTreeMap<String, Stats>,
}

/// Sums and first entries of a tensor.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Stats {
    pub shape: Vec<usize>,
    pub sum: f64,
    pub abs_sum: f64,
    /// The first eight entries.
    pub first: Vec<f64>,
}

impl Stats {
    /// The mean absolute value.
    pub fn mean(&self) -> f64 {
        self.abs_sum / self.shape.iter().product::<usize>() as f64
    }
}

/// A path in the shared folder. Where that is absent the test that asks for it is skipped with a message, or fails if
/// `PVLU_REQUIRE_SHARED` is 1.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    let message = format!("no {}", path.display());
    assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none_or(|value| value != "1"), "{message}");
    println!("skipped: {message}");
    None
}

/// Reads a JSON file.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The golden files of a model: the one of the repository, if it has one, and the full one of the shared folder, if
/// that is there. The shared folder has none of models that came later; theirs are in the repository.
pub fn goldens(model: &str) -> Vec<Golden> {
    let own = Some(original::tests("golden").join(format!("{model}.json"))).filter(|path| path.exists());
    let full = match own {
        Some(_) => shared("golden").map(|folder| folder.join(format!("{model}.json"))).filter(|path| path.exists()),
        None => shared(&format!("golden/{model}.json")),
    };
    own.iter().chain(&full).map(|path| read(path)).collect()
}
