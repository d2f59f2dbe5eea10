//! Application of a layer. The shape is taken off the tensors first, so that the layer's work is compiled once for an
//! element type and a device, and not once for a shape.

use std::any::Any;

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Gradients, Tape, Tensor, UniqueId};

use crate::backend::Backend;
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Open, Place, Track, id};

/// A tensor of any shape.
pub(super) trait Buffer<E: Unit, D: Backend<E>> {
    /// The elements in row-major order.
    fn read(&self) -> D::Read<'_>;
    /// True if the elements lie in row-major order without gaps.
    fn is_contiguous(&self) -> Result<bool, Error>;
    /// The identity of the tensor; see [`id`].
    fn id(&self) -> UniqueId;
    /// The address of the elements; see [`Kernels::address`](crate::backend::Kernels::address).
    fn address(&self) -> Option<usize>;
    /// The gradient, zero where nothing was added to it yet.
    fn gradient<'g>(&self, gradients: &'g mut Gradients<E, D>) -> Result<&'g mut D::Vec, D::Err>;
}

impl<S: Shape, E: Unit, D: Backend<E>> Buffer<E, D> for Tensor<S, E, D> {
    fn read(&self) -> D::Read<'_> {
        D::read(self)
    }
    fn is_contiguous(&self) -> Result<bool, Error> {
        D::is_contiguous(self)
    }
    fn id(&self) -> UniqueId {
        id(self)
    }
    fn address(&self) -> Option<usize> {
        D::address(self)
    }
    fn gradient<'g>(&self, gradients: &'g mut Gradients<E, D>) -> Result<&'g mut D::Vec, D::Err> {
        gradients.get_or_alloc_mut(self)
    }
}

/// A parameter of a layer, as its operation holds it.
pub(super) struct Parameter<E: Unit, D: Backend<E>> {
    name: &'static str,
    tensor: Box<dyn Buffer<E, D>>,
    /// True if the parameter wants a gradient.
    pub trained: bool,
}

impl<E: Unit, D: Backend<E>> Parameter<E, D> {
    /// A parameter of this name. Its buffer is shared, not copied.
    pub fn new<S: Shape>(name: &'static str, tensor: &Tensor<S, E, D>, trained: bool) -> Self {
        Self { name, tensor: Box::new(tensor.clone()), trained }
    }

    /// The elements in row-major order.
    pub fn read(&self) -> D::Read<'_> {
        self.tensor.read()
    }

    /// [`Error::ParameterLayout`] if the elements do not lie in row-major order, as kernels write gradients.
    fn check(&self) -> Result<(), Error> {
        if self.tensor.is_contiguous()? { Ok(()) } else { Err(Error::ParameterLayout { name: self.name }) }
    }

    /// Takes the gradient out, if it is wanted: only one can be borrowed at a time.
    pub fn take_gradient(&self, device: &D, flow: &mut Flow<'_, E, D>) -> Result<Option<D::Memory>, D::Err> {
        if !self.trained {
            return Ok(None);
        }
        Ok(Some(device.try_take(self.tensor.gradient(flow.gradients())?)?))
    }

    /// Puts the gradient back.
    pub fn put_gradient(&self, gradient: Option<D::Memory>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        if let Some(gradient) = gradient {
            D::put(self.tensor.gradient(flow.gradients())?, gradient);
        }
        Ok(())
    }

    /// Notes that its operation has added to the gradient, if that is wanted.
    pub fn note_added(&self, device: &D, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        if !self.trained {
            return Ok(());
        }
        flow.note_added(self.tensor.id(), |gradients| device.try_take(self.tensor.gradient(gradients)?))
    }

    /// The gradient, in place, for adding to.
    pub fn gradient<'g>(&self, flow: &'g mut Flow<'_, E, D>) -> Result<D::ViewMut<'g>, D::Err> {
        Ok(D::gradient_mut(self.tensor.gradient(flow.gradients())?))
    }
}

/// The arguments of an operation's backward pass.
pub(super) struct Pass<'a, E: Unit, D: Backend<E>> {
    /// The device of all tensors and gradients.
    pub device: &'a D,
    /// The elements that the operation [keeps](Operation::keeps): those of the input or of the output, or none.
    pub kept: D::View<'a>,
    /// The gradient of the output.
    pub grad_output: D::Memory,
    /// The place of the gradient of the input; `None` if it is not wanted.
    pub input: Option<&'a Place<E, D>>,
}

/// One application of a layer, free of shapes.
pub(super) trait Operation<E: Unit, D: Backend<E>>: Any {
    /// Name of the operation in the profile.
    fn kind(&self) -> &'static str;
    /// The parameters that the operation reads.
    fn parameters(&self) -> &[Parameter<E, D>] {
        &[]
    }
    /// The tensor that the backward pass reads.
    fn keeps(&self) -> Keep;
    /// True if the next operation may [take it back](Track::take_open).
    fn stays_open(&self) -> bool {
        false
    }
    /// Writes the whole output, whose elements are unspecified before. With `differentiate` a gradient of the input
    /// will be asked for.
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, differentiate: bool) -> Result<(), D::Err>;
    /// Writes the output over the input, for [`apply_in_place`].
    fn forward_in_place(&mut self, _: &D, _: D::ViewMut<'_>) -> Result<(), D::Err> {
        unreachable!("{} was not handed to `apply_in_place`", self.kind());
    }
    /// Gives parameters and input their gradients.
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err>;
}

/// The tensor that an operation on a tape holds until its backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing but its parameters.
    Nothing,
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

/// Applies an operation to a tensor, and records it on the tensor's tape if a gradient is wanted.
pub(super) fn apply<S: Shape, O: Shape, E: Unit, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
    out: O,
    mut operation: Box<dyn Operation<E, D>>,
) -> Result<Tensor<O, E, D, T>, Error> {
    let (x, mut tape) = D::try_contiguous(x)?.split_tape();
    let wants_input = <T as Tape<E, D>>::OWNS_TAPE && tape.requires_grad();
    operation.parameters().iter().try_for_each(Parameter::check)?;
    let y = x.device().try_create(out, &mut |y| run(&mut *operation, x.device(), &x, y, wants_input));
    let y = y.map_err(Error::device)?;
    if is_recorded(&*operation, &tape) {
        let (input, output) = (Place::of(&x), Place::of(&y));
        let kept: Option<Box<dyn Buffer<E, D>>> = match operation.keeps() {
            Keep::Nothing => None,
            Keep::Input => Some(Box::new(x)),
            Keep::Output => Some(hold(&y)),
        };
        let held = operation.stays_open().then(|| Box::new(y.clone()) as Box<dyn Buffer<E, D>>);
        Recorded { operation, input, kept, wants_input, output, held }.record(&mut tape);
    }
    Ok(y.put_tape(tape))
}

/// As [`apply`] for an operation that keeps the shape: where no other tensor holds the input, the output is written
/// over it, if it was just made and no backward pass reads it.
///
/// The output then has the identity of the input, for which no gradient can be asked any more.
pub(super) fn apply_in_place<S: Shape, E: Unit, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
    mut operation: Box<dyn Operation<E, D>>,
) -> Result<Tensor<S, E, D, T>, Error> {
    let (mut x, mut tape) = D::try_contiguous(x)?.split_tape();
    let recorded = is_recorded(&*operation, &tape);
    if !recorded || (tape.overwrites() && operation.keeps() != Keep::Input) {
        if recorded {
            tape.close();
        }
        if let Some(result) = overwrite(&mut *operation, &mut x) {
            result?;
            if recorded {
                let (input, output) = (Place::overwritten(&x), Place::of(&x));
                let kept = (operation.keeps() == Keep::Output).then(|| hold(&x));
                let wants_input = tape.requires_grad();
                Recorded { operation, input, kept, wants_input, output, held: None }.record(&mut tape);
            }
            return Ok(x.put_tape(tape));
        }
    }
    let shape = *x.shape();
    apply(x.put_tape(tape), shape, operation)
}

/// True if the operation goes on the tape of its input.
pub(super) fn is_recorded<E: Unit, D: Backend<E>, T: Track<E, D>>(operation: &dyn Operation<E, D>, tape: &T) -> bool {
    <T as Tape<E, D>>::OWNS_TAPE && (tape.requires_grad() || operation.parameters().iter().any(|p| p.trained))
}

/// Notes that an operation has added to the gradients of its parameters.
pub(super) fn note_added<E: Unit, D: Backend<E>>(
    operation: &dyn Operation<E, D>,
    device: &D,
    flow: &mut Flow<'_, E, D>,
) -> Result<(), D::Err> {
    operation.parameters().iter().try_for_each(|parameter| parameter.note_added(device, flow))
}

/// The parameters that get a gradient.
pub(super) fn trained<E: Unit, D: Backend<E>>(operation: &dyn Operation<E, D>) -> Vec<UniqueId> {
    operation.parameters().iter().filter(|p| p.trained).map(|p| p.tensor.id()).collect()
}

/// Writes the output over the input, if nobody else holds that.
pub(super) fn overwrite<S: Shape, E: Unit, D: Backend<E>>(
    operation: &mut dyn Operation<E, D>,
    x: &mut Tensor<S, E, D>,
) -> Option<Result<(), Error>> {
    let (device, kind) = (x.device().clone(), operation.kind());
    if let Err(error) = operation.parameters().iter().try_for_each(Parameter::check) {
        return Some(Err(error));
    }
    let values = D::exclusive(x)?;
    Some(measure(kind, Direction::Forward, || operation.forward_in_place(&device, values)).map_err(Error::device))
}

/// The tensor once more, for a backward pass.
fn hold<S: Shape, E: Unit, D: Backend<E>>(x: &Tensor<S, E, D>) -> Box<dyn Buffer<E, D>> {
    D::note_shared(x);
    Box::new(x.clone())
}

fn run<E: Unit, D: Backend<E>>(
    operation: &mut dyn Operation<E, D>,
    device: &D,
    x: &dyn Buffer<E, D>,
    y: D::ViewMut<'_>,
    differentiate: bool,
) -> Result<(), D::Err> {
    let x = x.read();
    measure(operation.kind(), Direction::Forward, || operation.forward(device, D::view(&x), y, differentiate))
}

/// An operation on a tape.
pub(super) struct Recorded<E: Unit, D: Backend<E>> {
    pub operation: Box<dyn Operation<E, D>>,
    input: Place<E, D>,
    /// The tensor that the backward pass reads.
    pub kept: Option<Box<dyn Buffer<E, D>>>,
    wants_input: bool,
    output: Place<E, D>,
    /// The output of an operation that stays open.
    pub held: Option<Box<dyn Buffer<E, D>>>,
}

impl<E: Unit, D: Backend<E>> Recorded<E, D> {
    /// Puts it on a tape.
    pub fn record<T: Track<E, D>>(self, tape: &mut T) {
        let trained = trained(&*self.operation);
        if self.held.is_some() {
            tape.record_open(&trained, Box::new(self));
        } else {
            tape.record(&trained, move |flow| self.run(flow));
        }
    }

    /// Takes the gradient of the output, which is then freed, and gives the input and the parameters theirs.
    pub fn run(self, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let grad_output = self.output.take(flow)?;
        self.pull(grad_output, flow)
    }

    /// Gives the input and the parameters their gradients from that of the output.
    pub fn pull(self, grad_output: D::Memory, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let kept = self.kept.as_ref().map(|kept| kept.read());
        let kept = kept.as_ref().map_or_else(D::nothing, |kept| D::view(kept));
        let input = self.wants_input.then_some(&self.input);
        let pass = Pass { device: self.output.device(), kept, grad_output, input };
        measure(self.operation.kind(), Direction::Backward, || self.operation.backward(pass, flow))?;
        note_added(&*self.operation, self.output.device(), flow)
    }
}

impl<E: Unit, D: Backend<E>> Open<E, D> for Recorded<E, D> {
    fn closed(self: Box<Self>) -> Box<dyn Open<E, D>> {
        Box::new(Recorded { held: None, ..*self })
    }
    fn backward(self: Box<Self>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        self.run(flow)
    }
}
