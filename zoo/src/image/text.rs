//! A [`Preprocessing`] as one line of text, for the metadata of files.

use std::fmt;
use std::str::FromStr;

use super::parameters::{KEYS, PreprocessingError};
use super::{Channels, Fit, Interpolation, Preprocessing};

impl Interpolation {
    const ALL: [(&str, Self); 3] =
        [("nearest", Self::Nearest), ("bilinear", Self::Bilinear), ("bicubic", Self::Bicubic)];
}

impl Channels {
    const ALL: [(&str, Self); 2] = [("rgb", Self::Rgb), ("bgr", Self::Bgr)];
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&Self::ALL, self))
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&Self::ALL, self))
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Squash => f.write_str("squash"),
            Self::Crop { shorter } => write!(f, "crop:{shorter}"),
        }
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The shortest text that gives the same bits is what `f32` displays.
        let three = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let (height, width) = self.input;
        write!(
            f,
            "input={height}x{width} fit={} interpolation={} channels={} divisor={} mean={} std={}",
            self.fit,
            self.interpolation,
            self.channels,
            self.divisor,
            three(self.mean),
            three(self.std)
        )
    }
}

impl FromStr for Preprocessing {
    type Err = PreprocessingError;

    /// Reads each key once, in any order, with single spaces between them and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut values: [Option<&str>; KEYS.len()] = [None; KEYS.len()];
        for part in text.split(' ') {
            let known = part
                .split_once('=')
                .and_then(|(key, value)| KEYS.iter().position(|known| *known == key).map(|index| (index, value)));
            let Some((index, value)) = known else { return Err(PreprocessingError::Key { found: part.to_owned() }) };
            if values[index].replace(value).is_some() {
                return Err(PreprocessingError::Twice { key: KEYS[index] });
            }
        }
        let value = |key: &'static str| {
            let index = KEYS.iter().position(|known| *known == key);
            index.and_then(|index| values[index]).ok_or(PreprocessingError::Missing { key })
        };
        let parse = |key, expected, parse: fn(&str) -> Option<_>| {
            let text = value(key)?;
            parse(text).ok_or_else(|| PreprocessingError::Value { key, expected, found: text.to_owned() })
        };

        let input = parse("input", "a height and a width as in 224x224", |text| {
            let (height, width) = text.split_once('x')?;
            Some([count(height)?, count(width)?])
        })?;
        let fit = value("fit")?;
        let fit = match fit.strip_prefix("crop:").map(count) {
            None if fit == "squash" => Fit::Squash,
            Some(Some(shorter)) => Fit::Crop { shorter },
            _ => {
                let expected = "squash or a shorter side as in crop:256";
                return Err(PreprocessingError::Value { key: "fit", expected, found: fit.to_owned() });
            }
        };
        let floats = |key, expected, want: usize| {
            let text = value(key)?;
            let floats: Option<Vec<f32>> = text.split(',').map(float).collect();
            let wrong = || PreprocessingError::Value { key, expected, found: text.to_owned() };
            floats.filter(|floats| floats.len() == want).ok_or_else(wrong)
        };
        let interpolation = named("interpolation", &Interpolation::ALL, "nearest, bilinear or bicubic", value)?;
        let channels = named("channels", &Channels::ALL, "rgb or bgr", value)?;
        let divisor = floats("divisor", "a number", 1)?[0];
        let mean = floats("mean", "three numbers with commas", 3)?;
        let std = floats("std", "three numbers with commas", 3)?;
        let three = |values: Vec<f32>| [values[0], values[1], values[2]];
        Self::new((input[0], input[1]), fit, interpolation, channels, divisor, three(mean), three(std))
    }
}

fn name<T: PartialEq>(all: &[(&'static str, T)], value: &T) -> &'static str {
    all.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

fn named<'a, T: Copy>(
    key: &'static str,
    all: &[(&'static str, T)],
    expected: &'static str,
    value: impl Fn(&'static str) -> Result<&'a str, PreprocessingError>,
) -> Result<T, PreprocessingError> {
    let text = value(key)?;
    let found = all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| PreprocessingError::Value { key, expected, found: text.to_owned() })
}

/// Reads a number of digits alone: `parse` would take a sign.
fn count(text: &str) -> Option<usize> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Reads a finite decimal number: `parse` would take `inf` and `NaN`.
fn float(text: &str) -> Option<f32> {
    text.parse().ok().filter(|value: &f32| value.is_finite())
}
