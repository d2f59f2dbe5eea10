//! Modules within modules: what makes the names of a network's tensors.

use std::fmt::Write as _;

use crate::weights::attribute;

/// A module of torch that has others, or is a layer.
#[derive(Debug, Default)]
pub struct Tree {
    /// Expression that makes the layer; none of what only has others.
    layer: Option<String>,
    /// The modules in it, in the order in which they were added.
    parts: Vec<(String, Tree)>,
}

/// Kinds of modules that have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its parts are attributes.
    Module,
    /// Its parts are called 0, 1, 2 and so on.
    ModuleList,
    /// Its parts have any other names.
    ModuleDict,
}

impl Kind {
    fn of(parts: &[(String, Tree)]) -> Self {
        if parts.iter().enumerate().all(|(index, (name, _))| *name == index.to_string()) {
            Kind::ModuleList
        } else if parts.iter().all(|(name, _)| is_attribute(name)) {
            Kind::Module
        } else {
            Kind::ModuleDict
        }
    }

    /// Expression of a part.
    fn part(self, within: &str, name: &str) -> String {
        match self {
            Kind::Module => format!("{within}.{name}"),
            Kind::ModuleList => format!("{within}[{name}]"),
            Kind::ModuleDict => format!("{within}[\"{name}\"]"),
        }
    }
}

/// True for a name that an attribute of a module can have.
fn is_attribute(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(fits) && attribute(name) == name
}

/// True for a name that a part of a module can have.
fn is_part(name: &str) -> bool {
    is_attribute(name) || !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

impl Tree {
    /// Adds a layer under a name with dots. Returns `false` and leaves it out if no module of torch can have that name,
    /// or if another one has it.
    pub fn add(&mut self, name: &str, layer: String) -> bool {
        let parts: Vec<&str> = name.split('.').collect();
        if !is_attribute(parts[0]) || !parts.iter().all(|part| is_part(part)) {
            return false;
        }
        let mut tree = self;
        for part in parts {
            if tree.layer.is_some() {
                return false;
            }
            let index = tree.parts.iter().position(|(known, _)| known == part).unwrap_or_else(|| {
                tree.parts.push((part.to_owned(), Tree::default()));
                tree.parts.len() - 1
            });
            tree = &mut tree.parts[index].1;
        }
        if tree.layer.is_some() || !tree.parts.is_empty() {
            return false;
        }
        tree.layer = Some(layer);
        true
    }

    /// Statements that make all modules within `self`.
    pub fn statements(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, "self", Kind::Module);
        text
    }

    fn write(&self, text: &mut String, within: &str, kind: Kind) {
        for (name, part) in &self.parts {
            let own = Kind::of(&part.parts);
            let value = match &part.layer {
                Some(layer) => layer.clone(),
                None => format!("nn.{own:?}()"),
            };
            let target = kind.part(within, name);
            let _ = match kind {
                Kind::ModuleList => writeln!(text, "        {within}.append({value})"),
                _ => writeln!(text, "        {target} = {value}"),
            };
            part.write(text, &target, own);
        }
    }

    /// Expression of a module by its name.
    pub fn module(&self, name: &str) -> String {
        let (mut tree, mut kind, mut expression) = (self, Kind::Module, "self".to_owned());
        for part in name.split('.') {
            expression = kind.part(&expression, part);
            let Some((_, next)) = tree.parts.iter().find(|(known, _)| known == part) else { break };
            (tree, kind) = (next, Kind::of(&next.parts));
        }
        expression
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_made_in_the_containers_that_their_names_need() {
        let mut tree = Tree::default();
        for name in ["conv1", "layer1.0.conv1", "layer1.0.act1", "layer1.1.conv1", "features.0", "features.2"] {
            assert!(tree.add(name, format!("Layer(\"{name}\")")), "{name}");
        }
        let expected = "\
            self.conv1 = Layer(\"conv1\")
            self.layer1 = nn.ModuleList()
            self.layer1.append(nn.Module())
            self.layer1[0].conv1 = Layer(\"layer1.0.conv1\")
            self.layer1[0].act1 = Layer(\"layer1.0.act1\")
            self.layer1.append(nn.Module())
            self.layer1[1].conv1 = Layer(\"layer1.1.conv1\")
            self.features = nn.ModuleDict()
            self.features[\"0\"] = Layer(\"features.0\")
            self.features[\"2\"] = Layer(\"features.2\")";
        let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines(&tree.statements()), lines(expected));
        assert_eq!(tree.module("layer1.1.conv1"), "self.layer1[1].conv1");
        assert_eq!(tree.module("features.2"), "self.features[\"2\"]");
    }

    #[test]
    fn names_that_no_module_can_have_are_refused() {
        let mut tree = Tree::default();
        assert!(tree.add("a.b", "nn.Identity()".to_owned()));
        for name in ["", "0", "a", "a.b", "a.b.c", "a..b", "train", "x.class", "x\"]", "a-b", "a.\"", "_x"] {
            assert!(!tree.add(name, "nn.Identity()".to_owned()), "{name}");
        }
    }
}
