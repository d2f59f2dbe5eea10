//! How a layer runs: at its door the shape is taken off the tensors, so that what it does is compiled once for an element
//! type and not once for a shape.

use std::borrow::Cow;

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dtype, HasShape, Shape, Unit};
use dfdx::tensor::{Cpu, CpuError, Gradients, Tape, Tensor, UniqueId};

use super::contiguous::contiguous;
use super::{fresh, tensor};
use crate::error::Error;
use crate::kernel::memory::unspecified;
use crate::kernel::{Element, view};
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track, id};

/// A tensor of any shape.
pub(super) trait Buffer<E: Unit> {
    /// The elements in row-major order.
    fn read(&self) -> Cow<'_, [E]>;
    /// Whether they lie so.
    fn is_contiguous(&self) -> bool;
    /// See [`id`].
    fn id(&self) -> UniqueId;
    /// The gradient, zero where nothing was added to it yet.
    fn gradient<'g>(&self, gradients: &'g mut Gradients<E, Cpu>) -> Result<&'g mut Vec<E>, CpuError>;
}

impl<S: Shape, E: Unit> Buffer<E> for Tensor<S, E, Cpu> {
    fn read(&self) -> Cow<'_, [E]> {
        view::read(self)
    }
    fn is_contiguous(&self) -> bool {
        view::is_contiguous(self)
    }
    fn id(&self) -> UniqueId {
        id(self)
    }
    fn gradient<'g>(&self, gradients: &'g mut Gradients<E, Cpu>) -> Result<&'g mut Vec<E>, CpuError> {
        Ok(&mut *gradients.get_or_alloc_mut(self)?)
    }
}

/// A parameter of a layer, as its operation holds it.
pub(super) struct Parameter<E: Unit> {
    name: &'static str,
    tensor: Box<dyn Buffer<E>>,
    /// Whether it wants a gradient.
    pub trained: bool,
}

impl<E: Unit> Parameter<E> {
    /// A parameter of this name. Its buffer is shared, not copied.
    pub fn new<S: Shape>(name: &'static str, tensor: &Tensor<S, E, Cpu>, trained: bool) -> Self {
        Self { name, tensor: Box::new(tensor.clone()), trained }
    }

    /// The elements.
    pub fn read(&self) -> Cow<'_, [E]> {
        self.tensor.read()
    }

    /// [`Error::ParameterLayout`] if the elements do not lie in row-major order, as kernels write gradients.
    fn check(&self) -> Result<(), Error> {
        if self.tensor.is_contiguous() { Ok(()) } else { Err(Error::ParameterLayout { name: self.name }) }
    }

    /// Takes the gradient out, if it is wanted: only one can be borrowed at a time.
    pub fn take_gradient(&self, flow: &mut Flow<'_, E, Cpu>) -> Result<Option<Vec<E>>, CpuError> {
        if self.trained { Ok(Some(std::mem::take(self.gradient(flow)?))) } else { Ok(None) }
    }

    /// Puts the gradient back.
    pub fn put_gradient(&self, gradient: Option<Vec<E>>, flow: &mut Flow<'_, E, Cpu>) -> Result<(), CpuError> {
        if let Some(gradient) = gradient {
            *self.gradient(flow)? = gradient;
        }
        Ok(())
    }

    /// The gradient, in place, for adding to.
    pub fn gradient<'g>(&self, flow: &'g mut Flow<'_, E, Cpu>) -> Result<&'g mut Vec<E>, CpuError> {
        self.tensor.gradient(flow.gradients())
    }
}

/// What a backward pass hands an operation.
pub(super) struct Pass<'a, E: Unit> {
    /// What the operation [keeps](Operation::keeps): the input, the output, or nothing.
    pub kept: &'a [E],
    /// The gradient of the output.
    pub cotangent: Vec<E>,
    /// Where the gradient of the input goes, if anyone wants it.
    pub input: Option<&'a Place<E>>,
}

/// One application of a layer, free of shapes.
pub(super) trait Operation<E: Element + Unit> {
    /// What it is, for the profile.
    fn kind(&self) -> &'static str;
    /// Elements of the output.
    fn output_len(&self) -> usize;
    /// The parameters.
    fn parameters(&self) -> &[Parameter<E>] {
        &[]
    }
    /// What the backward pass reads.
    fn keeps(&self) -> Keep;
    /// Writes the whole output, which starts as anything. With `differentiate` a gradient of the input will be asked for.
    fn forward(&mut self, x: &[E], y: &mut [E], differentiate: bool);
    /// Writes the output over the input, for [`apply_in_place`].
    fn forward_in_place(&mut self, _: &mut [E]) {
        unreachable!("{} was not handed to `apply_in_place`", self.kind());
    }
    /// Gives parameters and input their gradients.
    fn backward(&self, pass: Pass<'_, E>, flow: &mut Flow<'_, E, Cpu>) -> Result<(), CpuError>;
}

/// What an operation on a tape holds until its backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing but its parameters.
    Nothing,
    /// The input.
    Input,
    /// The output, which the next layer mostly keeps anyway: one buffer then does for both.
    Output,
}

impl Keep {
    /// The input, under a condition.
    pub fn input_if(needed: bool) -> Self {
        if needed { Keep::Input } else { Keep::Nothing }
    }
}

/// Applies an operation to a tensor, and records it on the tensor's tape if anyone wants a gradient.
pub(super) fn apply<S: Shape, O: Shape, E: Element + Dtype, T: Track<E, Cpu>>(
    x: Tensor<S, E, Cpu, T>,
    out: O,
    mut operation: Box<dyn Operation<E>>,
) -> Result<Tensor<O, E, Cpu, T>, Error> {
    let (x, mut tape) = contiguous(x)?.split_tape();
    let wants_input = <T as Tape<E, Cpu>>::OWNS_TAPE && tape.requires_grad();
    let y = tensor(x.device(), run(&mut *operation, &x, wants_input)?, out)?;
    let trained: Vec<_> = operation.parameters().iter().filter(|p| p.trained).map(|p| p.tensor.id()).collect();
    if <T as Tape<E, Cpu>>::OWNS_TAPE && (wants_input || !trained.is_empty()) {
        let (input, output) = (Place::of(&x), Place::of(&y));
        let kept: Option<Box<dyn Buffer<E>>> = match operation.keeps() {
            Keep::Nothing => None,
            Keep::Input => Some(Box::new(x)),
            Keep::Output => Some(Box::new(y.clone())),
        };
        let recorded = Recorded { operation, input, kept, wants_input, output };
        tape.record(&trained, move |flow| recorded.backward(flow));
    }
    Ok(y.put_tape(tape))
}

/// As [`apply`] for an operation that keeps the shape: where nothing is recorded and nobody else holds the input, the output
/// is written over it, if it is [fresh].
///
/// The output then has the identity of the input, which nobody can ask for a gradient any more.
pub(super) fn apply_in_place<S: Shape, E: Element + Dtype, T: Track<E, Cpu>>(
    x: Tensor<S, E, Cpu, T>,
    mut operation: Box<dyn Operation<E>>,
) -> Result<Tensor<S, E, Cpu, T>, Error> {
    let (mut x, tape) = contiguous(x)?.split_tape();
    let recorded = tape.requires_grad() || operation.parameters().iter().any(|parameter| parameter.trained);
    if !(<T as Tape<E, Cpu>>::OWNS_TAPE && recorded)
        && let Some(values) = exclusive(&mut x)
    {
        operation.parameters().iter().try_for_each(Parameter::check)?;
        measure(operation.kind(), Direction::Forward, || operation.forward_in_place(values));
        return Ok(x.put_tape(tape));
    }
    let shape = *x.shape();
    apply(x.put_tape(tape), shape, operation)
}

/// The elements of a tensor for writing over, if they are the output of one of the last layers and nobody else holds them.
pub(super) fn exclusive<S: Shape, E: Unit>(x: &mut Tensor<S, E, Cpu>) -> Option<&mut [E]> {
    if fresh::is(view::address(x)) { view::exclusive(x) } else { None }
}

fn run<E: Element + Unit>(
    operation: &mut dyn Operation<E>,
    x: &dyn Buffer<E>,
    differentiate: bool,
) -> Result<Vec<E>, Error> {
    operation.parameters().iter().try_for_each(Parameter::check)?;
    Ok(measure(operation.kind(), Direction::Forward, || {
        let mut y = unspecified(operation.output_len());
        operation.forward(&x.read(), &mut y, differentiate);
        y
    }))
}

/// An operation on a tape.
struct Recorded<E: Element + Unit> {
    operation: Box<dyn Operation<E>>,
    input: Place<E>,
    kept: Option<Box<dyn Buffer<E>>>,
    wants_input: bool,
    output: Place<E>,
}

impl<E: Element + Unit> Recorded<E> {
    /// Takes the gradient of the output, which is then freed, and gives the input and the parameters theirs.
    fn backward(self, flow: &mut Flow<'_, E, Cpu>) -> Result<(), CpuError> {
        let cotangent = self.output.take(flow)?;
        let kept = self.kept.as_ref().map(|kept| kept.read()).unwrap_or_default();
        let input = self.wants_input.then_some(&self.input);
        let kind = self.operation.kind();
        measure(kind, Direction::Backward, || self.operation.backward(Pass { kept: &kept, cotangent, input }, flow))
    }
}
