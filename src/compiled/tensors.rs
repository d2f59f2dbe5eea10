//! The tensors of a network by their paths.

use std::cell::RefCell;
use std::collections::HashMap;

use dfdx::tensor::Cpu;

use crate::error::Error;
use crate::layer::{AnyTensor, Graph, NamedTensor, Path, Visit, Visitor};

/// Most elements of a tensor that is copied with all others. Larger ones are nearly all of a network's memory, and are
/// copied one after another, each when it is asked for.
const SMALL: usize = 1 << 14;

/// The elements of the tensors of a network.
pub struct Tensors<'n> {
    copied: RefCell<HashMap<String, Vec<f32>>>,
    /// Shows all tensors of the network, if it is still there.
    network: Option<Box<Show<'n>>>,
    /// Paths of layers that stand in several places of a network that is no longer there.
    shared: Vec<String>,
}

/// Shows tensors to a visitor.
type Show<'n> = dyn Fn(&mut dyn Visitor<f32, Cpu>) -> Result<(), Error> + 'n;

/// Copies tensors that a condition picks.
struct Copies<W> {
    wanted: W,
    copied: HashMap<String, Vec<f32>>,
}

impl<W: FnMut(&str, usize) -> bool> Visitor<f32, Cpu> for Copies<W> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if (self.wanted)(slot.path, tensor.dims().iter().product()) {
            self.copied.insert(slot.path.to_owned(), tensor.read()?.into_owned());
        }
        Ok(())
    }
}

/// Copies of the tensors whose path and number of elements are wanted.
fn copies(show: &Show<'_>, wanted: impl FnMut(&str, usize) -> bool) -> Result<HashMap<String, Vec<f32>>, Error> {
    let mut copies = Copies { wanted, copied: HashMap::new() };
    show(&mut copies)?;
    Ok(copies.copied)
}

impl<'n> Tensors<'n> {
    /// Those of a network that is kept.
    pub fn of(net: &'n (impl Visit<f32, Cpu> + ?Sized)) -> Result<Self, Error> {
        let show = |visitor: &mut dyn Visitor<f32, Cpu>| net.visit(&mut Path::root(), visitor);
        let copied = RefCell::new(copies(&show, |_, elements| elements <= SMALL)?);
        Ok(Self { copied, network: Some(Box::new(show)), shared: Vec::new() })
    }

    /// Those of a network of this graph, which is dropped once they are copied. Each is freed when it is taken.
    pub fn out_of(net: impl Visit<f32, Cpu>, graph: &Graph) -> Result<Tensors<'static>, Error> {
        let copied = copies(&|visitor| net.visit(&mut Path::root(), visitor), |_, _| true)?;
        let mut paths: Vec<&str> = graph.nodes.iter().map(|node| node.path.as_str()).collect();
        paths.sort_unstable();
        let shared = paths.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned()).collect();
        Ok(Tensors { copied: RefCell::new(copied), network: None, shared })
    }

    /// The tensor of this name of a layer, of as many elements as it must have; [`Error::NotCompiled`] if there is
    /// none.
    pub fn take(&self, layer: &str, name: &str, len: usize) -> Result<Vec<f32>, Error> {
        let path = if layer.is_empty() { name.to_owned() } else { format!("{layer}.{name}") };
        let copy = || self.copied.borrow().get(&path).cloned();
        let values = match &self.network {
            Some(show) => match copy() {
                Some(values) => Some(values),
                None => copies(show, |found, _| found == path)?.remove(&path),
            },
            None if self.shared.iter().any(|shared| shared == layer) => copy(),
            None => self.copied.borrow_mut().remove(&path),
        };
        match values {
            Some(values) if values.len() == len => Ok(values),
            Some(values) => Err(Error::Shape { expected: len, found: values.len() }),
            None => Err(Error::NotCompiled { layer: path }),
        }
    }
}
