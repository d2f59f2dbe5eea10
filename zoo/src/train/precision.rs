//! The precision that a training is computed in, layer by layer.

use std::collections::BTreeMap;

use pvlu::Precision;
use pvlu::layer::{Switch, Switches};
use serde_json::{Value, json};

use crate::model::Model;

/// The layers whose factors are rounded, by path; all others compute in [`Precision::F32`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reduced(BTreeMap<String, Precision>);

impl Reduced {
    /// Those of a model.
    pub fn of(model: &mut dyn Model) -> Self {
        let mut layers = BTreeMap::new();
        model.net_mut().each_switch_at(|path, switches| {
            if let Switches::Weights { precision, .. } = switches
                && precision.is_reduced()
            {
                layers.insert(path.to_owned(), *precision);
            }
        });
        Self(layers)
    }

    /// The names of the precisions as JSON; `None` if there are none, of which files say nothing.
    pub fn to_json(&self) -> Option<Value> {
        let names: BTreeMap<_, _> = self.0.iter().map(|(path, precision)| (path, precision.name())).collect();
        (!names.is_empty()).then(|| json!(names))
    }

    /// Those that [`to_json`](Self::to_json) wrote; `None` of anything else.
    pub fn of_json(value: Option<&Value>) -> Option<Self> {
        let Some(value) = value else { return Some(Self::default()) };
        let layer = |(path, name): (&String, &Value)| {
            let precision: Precision = name.as_str()?.parse().ok()?;
            precision.is_reduced().then(|| (path.clone(), precision))
        };
        value.as_object()?.iter().map(layer).collect::<Option<_>>().map(Self)
    }

    /// The first layer that has another precision in `other`, with that here and that there.
    pub fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'a str, Precision, Precision)> {
        let of = |layers: &Self, path: &str| layers.0.get(path).copied().unwrap_or_default();
        let differs = |path: &&String| of(self, path) != of(other, path);
        let path = self.0.keys().chain(other.0.keys()).filter(differs).min()?;
        Some((path, of(self, path), of(other, path)))
    }
}
