//! Dropout with masks that the run's seed determines.

use dfdx::nn::{BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection};
use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, HasShape, Shape, Unit};
use dfdx::tensor::{Storage, Tape, Tensor};

use super::apply::{Keep, Operation, Pass, apply};
use super::dropout_state::DropoutState;
use super::graph_builder::{GraphBuilder, Wires};
use super::layer_summary::LayerKind;
use super::no_activation::no_activation;
use super::visit::{Path, Switches, Visit, Visitor, VisitorMut};
use crate::backend::{Backend, Write};
use crate::error::Error;
use crate::shard;
use crate::tape::{Flow, Track};

/// In training sets each element to zero with probability `PERCENT / 100` and multiplies the others by
/// `1 / (1 - PERCENT / 100)` (Srivastava et al. 2014, inverted); else does nothing.
///
/// [`Mode`](super::Mode) says when it drops: unless set by hand, in `forward_mut` on a tensor with a tape.
/// `forward_mut` then counts a training pass and so draws a new mask each time; `forward` under
/// [`Mode::Train`](super::Mode::Train) repeats the mask of the pass to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropout<const PERCENT: usize> {
    /// Mode and random stream.
    pub state: DropoutState,
}

impl<const PERCENT: usize> Dropout<PERCENT> {
    const PERCENT_IS_BELOW_100: () = assert!(PERCENT < 100, "Dropout<PERCENT>: PERCENT must be below 100");

    fn run<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
        &self,
        x: Tensor<S, E, D, T>,
        trains: bool,
    ) -> Result<Tensor<S, E, D, T>, Error> {
        const { Self::PERCENT_IS_BELOW_100 };
        if !trains || PERCENT == 0 {
            return Ok(x);
        }
        let (key, p) = (self.state.key(), PERCENT as f64 / 100.0);
        let out_shape = *x.shape();
        let first = match shard::current() {
            Some(_) if !D::has_shards() => return Err(Error::NoShards),
            Some(shard) => shard.first_element(out_shape.num_elements()),
            None => 0,
        };
        apply(x, out_shape, Box::new(Mask { first, key, p }))
    }
}

impl<const PERCENT: usize, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for Dropout<PERCENT> {
    type Built = Self;
}

impl<const PERCENT: usize, E: Dtype, D: Device<E>> TensorCollection<E, D> for Dropout<PERCENT> {
    type To<E2: Dtype, D2: Device<E2>> = Self;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self>, V::Err> {
        visitor.visit_fields((), |()| Self::default())
    }
}

no_activation!([const PERCENT: usize] Dropout<PERCENT>);

impl<const PERCENT: usize, E: Unit, D: Storage<E>> Visit<E, D> for Dropout<PERCENT> {
    fn visit(&self, _: &mut Path, _: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        Ok(())
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        visitor.switches(path.as_str(), Switches::Dropout(&mut self.state))
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        Ok(graph.layer(path.as_str(), LayerKind::Dropout { percent: PERCENT }, input, input.extent()))
    }
}

impl<const PERCENT: usize, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>> Module<Tensor<S, E, D, T>>
    for Dropout<PERCENT>
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        self.run(x, self.state.mode.trains(false))
    }
}

struct Mask {
    /// Index of the first element in the batch that the tensor is a part of.
    first: usize,
    key: u64,
    p: f64,
}

impl Mask {
    fn apply<E: Dtype, D: Backend<E>>(
        &self,
        device: &D,
        x: D::View<'_>,
        y: D::ViewMut<'_>,
        write: Write,
    ) -> Result<(), D::Err> {
        match self.first {
            0 => device.dropout(self.key, self.p, x, y, write),
            first => device.dropout_from(first, self.key, self.p, x, y, write),
        }
    }
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Mask {
    fn kind(&self) -> &'static str {
        "dropout"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        self.apply(device, x, y, Write::Replace)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, grad_output, input, .. } = pass;
        if let Some(input) = input {
            let grad_output = D::memory(&grad_output);
            input.give(flow, |grad_x, write| self.apply(device, grad_output, grad_x, write))?;
        }
        Ok(())
    }
}

impl<const PERCENT: usize, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>> ModuleMut<Tensor<S, E, D, T>>
    for Dropout<PERCENT>
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let trains = self.state.mode.trains(<T as Tape<E, D>>::OWNS_TAPE);
        let y = self.run(x, trains)?;
        if trains {
            self.state.passes += 1;
        }
        Ok(y)
    }
}
