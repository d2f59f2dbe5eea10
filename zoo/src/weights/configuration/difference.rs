//! Differences between the configuration of a file and a model, and the message about them.

use std::fmt;

use crate::text::message;
use crate::weights::name::shown;

/// A property of a layer that is not that of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Difference {
    /// The layer, as the file calls it.
    pub layer: String,
    /// The property, as Keras calls it.
    pub property: &'static str,
    /// Value of the property in the model.
    pub expected: String,
    /// Value of the property in the file.
    pub found: String,
}

/// Every difference between the configuration of a file and a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Differences(pub Vec<Difference>);

/// Maximum number of lines of differences that are shown.
const LINES: usize = 20;

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is of a model with another configuration, nothing was loaded:")?;
        // The same difference in many layers is one line.
        let mut lines: Vec<(&Difference, usize)> = Vec::new();
        for difference in &self.0 {
            let Difference { property, expected, found, .. } = difference;
            let same = |line: &&mut (&Difference, usize)| {
                line.0.property == *property && line.0.expected == *expected && line.0.found == *found
            };
            match lines.iter_mut().find(same) {
                Some((_, more)) => *more += 1,
                None => lines.push((difference, 0)),
            }
        }
        for (Difference { layer, property, expected, found }, more) in lines.iter().take(LINES) {
            write!(f, "\n  {}", shown(layer))?;
            match more {
                0 => {}
                1 => f.write_str(" and 1 layer more")?,
                more => write!(f, " and {more} layers more")?,
            }
            write!(f, ": {property}: expected {}, found {}", message(expected), message(found))?;
        }
        if lines.len() > LINES {
            write!(f, "\n  and {} differences more", lines.len() - LINES)?;
        }
        f.write_str(
            "\n  no model here computes that; what model.save_weights(\"NAME.weights.h5\") stores is loaded without \
             this check",
        )
    }
}
