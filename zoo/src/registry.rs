//! Models by name.
//!
//! A program that adds networks or activations of its own makes a [`Registry`] of them and installs it; lookups by name
//! then find those, too.
//!
//! ```
//! use pvlu_zoo::registry;
//!
//! let model = registry::build("cifar_resnet20", "pvlu", 10, 0)?;
//! assert_eq!((model.image(), model.classes()), ((32, 32), 10));
//!
//! // A formula is an activation too; a name that is none is an error that says which there are.
//! let formula = registry::build("cifar_resnet20", "mine = max(x, 0) + a*sin(x); a = 0.5", 10, 0)?;
//! assert_eq!(model.logits(vec![0.5; 3 * 32 * 32])?.len(), formula.logits(vec![0.5; 3 * 32 * 32])?.len());
//! assert!(registry::build("cifar_resnet21", "pvlu", 10, 0).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::OnceLock;

use pvlu::activation::Activation;

use crate::activations;
pub use crate::activations::{activation, activation_names};
use crate::family::FAMILIES;
pub use crate::family::entry::{
    AnyNetwork, Buildable, CLASSES, InParts, ModelEntry, Names, Options, RegistryError, Sides, Start,
};
use crate::model::Model;

/// The models that are known by name, and the activations beside the built-in ones.
#[derive(Clone, Debug)]
pub struct Registry {
    entries: Vec<ModelEntry>,
    activations: Vec<&'static pvlu::activation::Definition>,
}

/// The registry of this process.
static INSTALLED: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// The models of the zoo.
    pub fn standard() -> Self {
        Self { entries: FAMILIES.concat(), activations: Vec::new() }
    }

    /// The same registry with one model more, which replaces one of the same name.
    #[must_use]
    pub fn with(mut self, entry: ModelEntry) -> Self {
        self.entries.retain(|known| known.name != entry.name);
        self.entries.push(entry);
        self
    }

    /// The same registry with one activation more, by its [`NAME`](Activation::NAME), which replaces one of that name
    /// that was added before.
    #[must_use]
    pub fn with_activation<A: Activation>(mut self) -> Self {
        self.activations.retain(|known| known.name() != A::NAME);
        self.activations.push(A::definition());
        self
    }

    /// Makes this the registry of the process, in which names are looked up. A process that installs none gets the
    /// standard one at the first lookup.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Name`] for an activation with the name of a built-in one, or one that is not of letters, digits
    /// and `_`; [`RegistryError::Installed`] if the process has a registry already. Nothing is changed then.
    pub fn install(self) -> Result<(), RegistryError> {
        if let Some(name) = activations::unfit(&self.activations) {
            return Err(RegistryError::Name { name });
        }
        let activations = self.activations.clone();
        let is_first = INSTALLED.set(self).is_ok() && activations::bring(activations);
        if is_first { Ok(()) } else { Err(RegistryError::Installed) }
    }
}

/// Every model, in the order in which they are listed.
pub fn models() -> &'static [ModelEntry] {
    &INSTALLED.get_or_init(Registry::standard).entries
}

/// The names of all models.
#[doc(hidden)]
pub fn model_names() -> Vec<&'static str> {
    models().iter().map(|entry| entry.name).collect()
}

/// The model of this name; [`RegistryError::Model`] if there is none.
pub fn find(model: &str) -> Result<&'static ModelEntry, RegistryError> {
    let found = models().iter().find(|entry| entry.name == model);
    found.ok_or_else(|| RegistryError::Model { name: model.to_owned(), known: model_names() })
}

/// Builds a model with start values drawn from `seed`, for images of its original's size.
pub fn build(model: &str, activation: &str, classes: usize, seed: u64) -> Result<Box<dyn Model>, RegistryError> {
    find(model)?.build(&Options { activation, classes, image: None, weights: Start::Seed(seed) })
}
