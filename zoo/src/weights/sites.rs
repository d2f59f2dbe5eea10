//! Names of activations in a file that was written for torch.
//!
//! A file saved here calls the parameters of the n-th activation `act{n}.alpha`. In one that is written for torch they
//! are called after the module that has them, `layer1.0.act1.alpha`, and the metadata lists these modules in the order
//! of the network. A parameter whose name means something to every module of torch, or to Python, has `_` behind it,
//! and one that begins with `_`, as what modules keep for themselves does, has `p` before that.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{layer_of, shown};

/// Key of the metadata with the names of the modules: a JSON array.
pub const SITES_KEY: &str = "pvlu_zoo.sites";

/// Words of Python, and names that every module of torch has.
const RESERVED: &[&str] = &[
    "False",
    "None",
    "T_destination",
    "True",
    "add_module",
    "and",
    "apply",
    "as",
    "assert",
    "async",
    "await",
    "bfloat16",
    "break",
    "buffers",
    "call_super_init",
    "children",
    "class",
    "compile",
    "continue",
    "cpu",
    "cuda",
    "def",
    "del",
    "double",
    "dump_patches",
    "elif",
    "else",
    "eval",
    "except",
    "extra_repr",
    "finally",
    "float",
    "for",
    "forward",
    "from",
    "get_buffer",
    "get_extra_state",
    "get_parameter",
    "get_submodule",
    "global",
    "half",
    "if",
    "import",
    "in",
    "ipu",
    "is",
    "lambda",
    "load_state_dict",
    "modules",
    "mtia",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "nonlocal",
    "not",
    "or",
    "parameters",
    "pass",
    "raise",
    "register_backward_hook",
    "register_buffer",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook",
    "register_module",
    "register_parameter",
    "register_state_dict_post_hook",
    "register_state_dict_pre_hook",
    "requires_grad_",
    "return",
    "set_extra_state",
    "set_submodule",
    "share_memory",
    "state_dict",
    "to",
    "to_empty",
    "train",
    "training",
    "try",
    "type",
    "while",
    "with",
    "xpu",
    "yield",
    "zero_grad",
];

/// The name of a parameter as an attribute of a module of torch.
pub(crate) fn attribute(parameter: &str) -> String {
    let underscore = if RESERVED.contains(&parameter.trim_end_matches('_')) { "_" } else { "" };
    let letter = if parameter.trim_start_matches('p').starts_with('_') { "p" } else { "" };
    format!("{letter}{parameter}{underscore}")
}

/// The name of the parameter that is this attribute of a module.
fn parameter(attribute: &str) -> &str {
    let is_reserved = RESERVED.contains(&attribute.trim_end_matches('_'));
    let attribute = attribute.strip_suffix('_').filter(|_| is_reserved).unwrap_or(attribute);
    let is_underscore = attribute.trim_start_matches('p').starts_with('_');
    attribute.strip_prefix('p').filter(|_| is_underscore).unwrap_or(attribute)
}

/// Names that the tensors of activations have here, each with that in the file, from the list in the metadata; or what
/// is wrong with the list.
pub(super) fn names<'a>(
    list: &str,
    tensors: impl ExactSizeIterator<Item = &'a String>,
) -> Result<BTreeMap<String, String>, String> {
    let sites: Vec<String> = serde_json::from_str(list).map_err(|error| error.to_string())?;
    if sites.len() > tensors.len() {
        return Err(format!("{} names, more than tensors", sites.len()));
    }
    let numbers: BTreeMap<&str, usize> = sites.iter().map(String::as_str).zip(0..).collect();
    if numbers.len() < sites.len() {
        let mut seen = BTreeSet::new();
        let twice = sites.iter().find(|site| !seen.insert(site.as_str())).map_or("", String::as_str);
        return Err(format!("{} twice", shown(twice)));
    }
    let renamed = |key: &String| {
        let site = layer_of(key);
        let leaf = key.get(site.len() + 1..)?;
        Some((format!("act{}.{}", numbers.get(site)?, parameter(leaf)), key.clone()))
    };
    Ok(tensors.filter_map(renamed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &str, tensors: &[&str]) -> Result<Vec<(String, String)>, String> {
        let tensors: Vec<String> = tensors.iter().map(|name| (*name).to_owned()).collect();
        names(list, tensors.iter()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn parameters_get_the_number_of_their_module() {
        let tensors = ["conv1.weight", "layer1.0.act1.alpha", "relu.alpha", "relu.half_"];
        let found = named(r#"["relu", "layer1.0.act1"]"#, &tensors).unwrap();
        let expected = [("act0.alpha", "relu.alpha"), ("act0.half", "relu.half_"), ("act1.alpha", tensors[1])];
        assert_eq!(found, expected.map(|(name, own)| (name.to_owned(), own.to_owned())));
    }

    #[test]
    fn a_list_that_is_none_is_described() {
        for (list, problem) in [
            ("{}", "invalid type"),
            (r#"["a", 1]"#, "invalid type"),
            (r#"["a", "b", "a"]"#, "a twice"),
            (r#"["a", "b", "c", "d"]"#, "4 names, more than tensors"),
        ] {
            let found = named(list, &["a.x", "b.x", "c.x"]).unwrap_err();
            assert!(found.contains(problem), "{list}: {found}");
        }
    }

    #[test]
    fn no_two_parameters_are_the_same_attribute() {
        for name in ["alpha", "half", "half_", "half__", "a_", "lambda", "to", "_a", "__a", "p_a", "pp__a", "p", "pa"] {
            assert_eq!(parameter(&attribute(name)), name);
        }
        assert_eq!([attribute("half"), attribute("half_"), attribute("alpha")], ["half_", "half__", "alpha"]);
        assert_eq!([attribute("_buffers"), attribute("p_a"), attribute("pa")], ["p_buffers", "pp_a", "pa"]);
    }
}
