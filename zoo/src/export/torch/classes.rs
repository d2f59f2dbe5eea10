//! The classes of a network's activations.

use pvlu::activation::{Definition, Pvlu, Relu};
use pvlu::layer::{Graph, LayerKind};

use super::activation::class;
use crate::export::ExportError;

/// The classes of the activations that a network has.
#[derive(Debug)]
pub struct Classes {
    /// Each activation with the name of its class, and the class; that of ReLU is torch's own.
    classes: Vec<(&'static Definition, String, String)>,
}

impl Classes {
    /// The classes of every activation of a network.
    pub fn of(graph: &Graph) -> Result<Self, ExportError> {
        let mut classes: Vec<(&'static Definition, String, String)> = Vec::new();
        for node in &graph.nodes {
            let LayerKind::Activation { activation } = node.kind else { continue };
            if classes.iter().any(|(known, _, _)| *known == activation) {
                continue;
            }
            let is_of = |other: &Definition| activation.is_of_the_type_of(other);
            if is_of(Definition::of::<Relu>()) {
                classes.push((activation, "nn.ReLU".to_owned(), String::new()));
                continue;
            }
            let stem = if is_of(Definition::of::<Pvlu>()) { "PVLU" } else { "Activation" };
            let count = classes.iter().filter(|(_, name, _)| name.starts_with(stem)).count();
            let name = if count == 0 { stem.to_owned() } else { format!("{stem}{}", count + 1) };
            let (path, text) = (node.path.clone(), activation.text());
            let class = class(activation, &name).ok_or(ExportError::Activation { path, activation: text })?;
            classes.push((activation, name, class));
        }
        Ok(Self { classes })
    }

    /// True if a library's network can have the activation: there is one, with parameters that do not depend on the
    /// size of the images.
    pub fn fit_any_size(&self) -> bool {
        matches!(self.classes[..], [(activation, _, _)] if !activation.is_per_element())
    }

    /// The name of the first activation's class; `None` if that is ReLU.
    pub fn first(&self) -> Option<&str> {
        self.classes.first().filter(|(_, _, class)| !class.is_empty()).map(|(_, name, _)| name.as_str())
    }

    /// A module of an activation, for channels or for the sizes of a map.
    pub fn module(&self, activation: &'static Definition, sizes: &[usize]) -> String {
        let class = self.classes.iter().find(|(known, _, _)| *known == activation);
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let sizes = if activation.params().is_empty() { String::new() } else { sizes.join(", ") };
        format!("{}({sizes})", class.map_or("", |(_, name, _)| name))
    }

    /// True if some activation has parameters.
    pub fn have_parameters(&self) -> bool {
        self.classes.iter().any(|(activation, _, _)| !activation.params().is_empty())
    }

    /// The classes as Python defines them.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|(_, _, class)| class.as_str()).filter(|class| !class.is_empty())
    }
}
