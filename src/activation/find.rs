//! Activations by the text that a person writes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::written::{Setting, WrittenError, WrittenParam, canonical, is_formula, parse_settings};
use super::{BUILT_IN, Definition, Param, Written};

/// Most formulas, and built-in activations with other start values, that a process keeps. Files name them too, and each
/// is kept until the process ends.
const MAX_KEPT: usize = 1000;

/// A text that asks for no activation.
#[derive(Clone, Debug, PartialEq)]
pub enum FindError {
    /// No activation is called so.
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// A formula, or a list of values of parameters, that cannot be read.
    Written(WrittenError),
    /// More different formulas than a process may ask for.
    TooMany,
}

impl std::fmt::Display for FindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FindError::Unknown { name } => write!(f, "unknown activation {name:?}"),
            FindError::Written(error) => error.fmt(f),
            FindError::TooMany => write!(f, "a process asks for at most {MAX_KEPT} different formulas"),
        }
    }
}

impl std::error::Error for FindError {}

/// The activation that a text asks for. It is one of
///
/// - the name of a [built-in](BUILT_IN) one: `pvlu`;
/// - such a name with other start values: `leaky_relu; slope = 0.3`, or `pvlu; alpha = 0.1; fixed beta = 2`, which
///   trains alpha alone. A parameter that starts at another value after a swap keeps that one unless `swap` gives it;
/// - a formula, `mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1`; see [`written`](super::written).
///
/// Equal texts ask for one and the same; what was asked for is kept until the process ends.
///
/// # Errors
///
/// [`FindError`].
pub fn find(text: &str) -> Result<&'static Definition, FindError> {
    find_among(text, BUILT_IN.iter().copied())
}

/// As [`find`], with these activations instead of the built-in ones.
///
/// # Errors
///
/// [`FindError`].
pub fn find_among(
    text: &str,
    named: impl Iterator<Item = &'static Definition> + Clone,
) -> Result<&'static Definition, FindError> {
    let text = text.trim();
    let built_in = |name: &str| named.clone().find(|activation| activation.name() == name);
    if let Some(found) = built_in(text) {
        return Ok(found);
    }
    if is_formula(text) {
        let written = Written::parse(text).map_err(FindError::Written)?;
        if built_in(written.name()).is_some() {
            return Err(FindError::Written(written.taken(text)));
        }
        return kept(written.text(), || definition_of(&written));
    }
    let Some((name, list)) = text.split_once(';') else { return Err(FindError::Unknown { name: text.to_owned() }) };
    let name = name.trim();
    let Some(base) = built_in(name) else { return Err(FindError::Unknown { name: name.to_owned() }) };
    let settings = parse_settings(list).map_err(FindError::Written)?;
    let params = base.params();
    let names: Vec<&str> = params.iter().map(|param| param.name).collect();
    if let Some(unknown) = settings.iter().find(|setting| !names.contains(&setting.name.as_str())) {
        return Err(FindError::Written(unknown.unknown(list, &names)));
    }
    let is_large = |setting: &&Setting| [Some(setting.start), setting.swapped].into_iter().flatten().any(is_large);
    if let Some(large) = settings.iter().find(is_large) {
        return Err(FindError::Written(large.too_large(list)));
    }
    let set: Vec<Param> = params
        .iter()
        .map(|param| match settings.iter().find(|setting| setting.name == param.name) {
            Some(setting) => changed(*param, setting),
            None => *param,
        })
        .collect();
    let text = format!("{name}; {}", canonical(list).map_err(FindError::Written)?);
    kept(&text, || base.with_params(text.clone(), &set))
}

/// The definition of a formula.
fn definition_of(written: &Written) -> &'static Definition {
    let param = |param: &WrittenParam| Param {
        name: param.name.clone().leak(),
        start: param.start,
        swapped: param.swapped,
        trained: param.trained,
    };
    let params: Vec<Param> = written.params().iter().map(param).collect();
    Definition::of_program(written.name(), written.text(), &params, written.program().clone())
}

/// True if a number is beyond the range of `f32`.
fn is_large(value: f64) -> bool {
    !(value as f32).is_finite()
}

/// A parameter with the values of a setting.
fn changed(param: Param, setting: &Setting) -> Param {
    let follows = if param.swapped == param.start { setting.start } else { param.swapped };
    Param {
        start: setting.start,
        swapped: setting.swapped.unwrap_or(follows),
        trained: param.trained && !setting.fixed,
        ..param
    }
}

/// The definition of a text, made the first time that it is asked for.
fn kept(text: &str, make: impl FnOnce() -> &'static Definition) -> Result<&'static Definition, FindError> {
    static KEPT: Mutex<BTreeMap<String, &'static Definition>> = Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = kept.get(text) {
        return Ok(found);
    }
    if kept.len() >= MAX_KEPT {
        return Err(FindError::TooMany);
    }
    let made = make();
    kept.insert(text.to_owned(), made);
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_come_with_other_values() {
        let leaky = find("leaky_relu ;slope=0.3").unwrap();
        assert_eq!((leaky.name(), leaky.text()), ("leaky_relu", "leaky_relu; slope = 0.3"));
        assert_eq!(*leaky.params(), [Param::fixed("slope", 0.3)]);
        let pvlu = find("pvlu; alpha = 0.1; fixed beta = 2").unwrap();
        let expected = [Param::trained("alpha", 0.1).swapped(0.0), Param::fixed("beta", 2.0)];
        assert_eq!(*pvlu.params(), expected);
        let given = find("pvlu; alpha = 0.1 swap 0.2").unwrap();
        assert_eq!(given.params()[0].swapped, 0.2);
        assert!(std::ptr::eq(find(leaky.text()).unwrap(), leaky), "a text is read back");
        assert_eq!(find("pvlu").unwrap(), Definition::of::<crate::activation::Pvlu>());
    }

    #[test]
    fn a_formula_is_read_back_from_its_text() {
        let text = "mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1; fixed c=0.25".replace("a*sin", "(a + c)*sin");
        let mine = find(&text).unwrap();
        assert_eq!(mine.name(), "mine");
        let expected = [Param::trained("a", 0.5).swapped(0.0), Param::trained("b", 1.0), Param::fixed("c", 0.25)];
        assert_eq!(*mine.params(), expected);
        assert!(std::ptr::eq(find(mine.text()).unwrap(), mine));
        assert_eq!(mine.cuda(), None);
    }

    #[test]
    fn what_asks_for_nothing_is_an_error() {
        for name in ["geglu", "", "mine", "PVLU", "geglu; a = 1"] {
            assert!(matches!(find(name), Err(FindError::Unknown { .. })), "{name}");
        }
        for text in [
            "pvlu; alpha = 1e39",
            "pvlu; alpha = 1 swap 1e39",
            "relu; a = 1",
            "pvlu; gamma = 1",
            "pvlu; alpha",
            "mine = x +",
            "pvlu = x",
        ] {
            assert!(matches!(find(text), Err(FindError::Written(_))), "{text}");
        }
    }
}
