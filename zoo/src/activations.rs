//! Activations by name: those of [`pvlu`], and those that a program adds.

use std::sync::OnceLock;

use pvlu::activation::{BUILT_IN, Definition, FindError, find_among};

use crate::family::entry::RegistryError;

/// Activations that the program has added.
static OWN: OnceLock<Vec<&'static Definition>> = OnceLock::new();

/// The first name that cannot be that of an activation of the program's own: a built-in one has it, or it is not of
/// letters, digits and `_`, so that it would be read as something else.
pub(crate) fn unfit(own: &[&'static Definition]) -> Option<&'static str> {
    let is_word =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_built_in = |name: &str| BUILT_IN.iter().any(|built_in| built_in.name() == name);
    own.iter().map(|activation| activation.name()).find(|name| is_built_in(name) || !is_word(name))
}

/// Makes activations of the program's own known by their names. Returns false, and changes nothing, if others were
/// before.
pub(crate) fn bring(own: Vec<&'static Definition>) -> bool {
    OWN.set(own).is_ok()
}

/// All activations that have a name.
fn all() -> impl Iterator<Item = &'static Definition> + Clone {
    BUILT_IN.iter().chain(OWN.get().into_iter().flatten()).copied()
}

/// The names of the activations, in the order of the paper's first table, then the others, then the program's own.
pub fn activation_names() -> Vec<&'static str> {
    all().map(Definition::name).collect()
}

/// The activation that a text asks for: a name, a name with other start values, or a formula; see
/// [`pvlu::activation::find`].
///
/// # Errors
///
/// [`RegistryError::Activation`] if there is none of this name, [`RegistryError::Formula`] for a text that cannot be
/// read.
pub fn activation(text: &str) -> Result<&'static Definition, RegistryError> {
    find_among(text, all()).map_err(|error| match error {
        FindError::Unknown { name } => RegistryError::Activation { name, known: activation_names() },
        FindError::Written(error) => RegistryError::Formula(Box::new(error)),
        FindError::TooMany => RegistryError::Formulas,
    })
}
