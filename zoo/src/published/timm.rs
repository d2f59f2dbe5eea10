//! The `config.json` that timm puts beside its weights: how images are prepared for them.

use serde_json::{Map, Value};

use crate::image::{Channels, Fit, Interpolation, Preprocessing, PreprocessingError};
use crate::text::MESSAGE;

/// timm's default for the share of the resized side that is kept.
const CROP: f64 = 0.875;

/// The name that timm gives to a model of this crate, whose `_v1_5` it does not say.
fn architecture(model: &str) -> &str {
    model.strip_suffix("_v1_5").unwrap_or(model)
}

/// The preprocessing that timm's `config.json` states for evaluation: `test_input_size` and `test_crop_pct` where they
/// are given, else `input_size` and `crop_pct`, with `interpolation`, `mean` and `std`. The shorter side is resized to
/// `floor(size / crop)`, as timm does.
///
/// `None` for a text that is not timm's, or is of another model than those of `models`.
///
/// # Errors
///
/// [`PreprocessingError::Value`] for a value that timm does not know, or that it crops in a way that is not known here.
pub fn timm_preprocessing(text: &str, models: &[&str]) -> Result<Option<Preprocessing>, PreprocessingError> {
    let Ok(Value::Object(whole)) = serde_json::from_str(text) else { return Ok(None) };
    let Some(found) = whole.get("architecture").and_then(Value::as_str) else { return Ok(None) };
    if !models.iter().any(|model| architecture(model) == found) {
        return Ok(None);
    }
    // Before timm 0.9 the settings stood beside the architecture.
    let config = whole.get("pretrained_cfg").and_then(Value::as_object).unwrap_or(&whole);
    let Some(size) = config.get("test_input_size").or_else(|| config.get("input_size")) else { return Ok(None) };
    let input = match numbers(Some(size)).as_deref() {
        Some(&[3.0, height, width]) => (whole_number(height), whole_number(width)),
        _ => return wrong("input", "three channels, height and width", Some(size)),
    };
    let crop = match config.get("test_crop_pct").or_else(|| config.get("crop_pct")) {
        None => CROP,
        Some(crop) => match crop.as_f64().filter(|crop| (0.01..=1.0).contains(crop)) {
            Some(crop) => crop,
            None => return wrong("fit", "a crop_pct within 0.01 to 1", Some(crop)),
        },
    };
    let mode = config.get("crop_mode");
    let fit = match mode.map(|mode| mode.as_str().unwrap_or_default()) {
        None | Some("center") => Fit::Crop { shorter: (input.0.max(input.1) as f64 / crop).floor() as usize },
        Some("squash") if crop == 1.0 => Fit::Squash,
        _ => return wrong("fit", "crop_mode center, or squash without a margin", mode),
    };
    let interpolation = config.get("interpolation");
    let interpolation = match interpolation.map(|name| name.as_str().unwrap_or_default()) {
        None | Some("bicubic") => Interpolation::Bicubic,
        Some("bilinear") => Interpolation::Bilinear,
        Some("nearest") => Interpolation::Nearest,
        _ => return wrong("interpolation", "bilinear, bicubic or nearest", interpolation),
    };
    let mean = three(config, "mean", Preprocessing::TORCHVISION.mean)?;
    let std = three(config, "std", Preprocessing::TORCHVISION.std)?;
    Preprocessing::new(input, fit, interpolation, Channels::Rgb, 255.0, mean, std).map(Some)
}

/// Numbers of a list; `None` for anything else.
fn numbers(list: Option<&Value>) -> Option<Vec<f64>> {
    list?.as_array()?.iter().map(Value::as_f64).collect()
}

/// A size of an image; 0, which no preprocessing takes, for what is none.
fn whole_number(size: f64) -> usize {
    if (1.0..=f64::from(u32::MAX)).contains(&size) && size.fract() == 0.0 { size as usize } else { 0 }
}

fn three(config: &Map<String, Value>, key: &'static str, usual: [f32; 3]) -> Result<[f32; 3], PreprocessingError> {
    let Some(list) = config.get(key) else { return Ok(usual) };
    match numbers(Some(list)).as_deref() {
        Some(&[red, green, blue]) => Ok([red as f32, green as f32, blue as f32]),
        _ => wrong(key, "three numbers", Some(list)),
    }
}

fn wrong<T>(key: &'static str, expected: &'static str, found: Option<&Value>) -> Result<T, PreprocessingError> {
    let found = found.map_or(String::new(), |found| found.to_string().chars().take(MESSAGE).collect());
    Err(PreprocessingError::Value { key, expected, found })
}
