//! The tensors of a network by their paths.

use std::collections::HashMap;

use dfdx::tensor::Cpu;

use crate::error::Error;
use crate::layer::{AnyTensor, NamedTensor, Path, Visit, Visitor};

/// The elements of every tensor of a network.
#[derive(Debug, Default)]
pub struct Tensors(HashMap<String, Vec<f32>>);

impl Visitor<f32, Cpu> for Tensors {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        self.0.insert(slot.path.to_owned(), tensor.read()?.into_owned());
        Ok(())
    }
}

impl Tensors {
    /// Those of a network.
    pub fn of(net: &(impl Visit<f32, Cpu> + ?Sized)) -> Result<Self, Error> {
        let mut tensors = Self::default();
        net.visit(&mut Path::root(), &mut tensors)?;
        Ok(tensors)
    }

    /// The tensor of this name of a layer, of as many elements as it must have; [`Error::NotCompiled`] if there is
    /// none.
    pub fn get(&self, layer: &str, name: &str, len: usize) -> Result<&[f32], Error> {
        let path = if layer.is_empty() { name.to_owned() } else { format!("{layer}.{name}") };
        match self.0.get(&path) {
            Some(values) if values.len() == len => Ok(values),
            Some(values) => Err(Error::Shape { expected: len, found: values.len() }),
            None => Err(Error::NotCompiled { layer: path }),
        }
    }
}
