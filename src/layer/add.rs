//! The sum of tensors.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dtype, HasShape, Shape};
use dfdx::tensor::{Merge, Tape, Tensor};

use super::apply::Buffer;
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::{Backend, Write};
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track};

/// `y = x1 + x2 + ...`, added from the left to the right: an operation on the outputs of
/// [`Branches`](super::Branches).
///
/// Shapes: a tuple of two to six tensors of one shape, to that shape. Other channels do not compile; another size that
/// is known at run time alone is an [`Error::Shape`].
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// // Two convolutions of different reach, and the input.
/// type Branches = nn::Branches<(nn::Conv2D<4, 4, 3, 1, 1>, nn::Conv2D<4, 4, 5, 1, 2>, nn::Identity)>;
/// type Net = (Branches, nn::Add, nn::Act<Relu, 4>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 4, 8, 8>, f32, _> = dev.sample_normal();
/// let sums: Tensor<Rank4<2, 4, 8, 8>, f32, _> = net.forward(images);
/// ```
///
/// Five channels and four have no sum:
///
/// ```compile_fail,E0277
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Net = (nn::Branches<(nn::Conv2D<4, 5, 1>, nn::Identity)>, nn::Add);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 4, 8, 8>, f32, _> = dev.sample_normal();
/// net.forward(images);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Add;

impl ZeroSizedModule for Add {}
impl NonMutableModule for Add {}
nothing_to_visit!([] Add, |input: Extent| (LayerKind::Add, input.expect_equal_parts()));

/// Implements the sum of as many inputs as the list has names.
macro_rules! sum_of {
    ($first:ident $($other:ident)+) => {
        impl<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>
            Module<(Tensor<S, E, D, T>, $(sum_of!(@type $other Tensor<S, E, D, T>),)+)> for Add
        {
            type Output = Tensor<S, E, D, T>;
            type Error = Error;

            fn try_forward(
                &self,
                ($first, $($other,)+): (Tensor<S, E, D, T>, $(sum_of!(@type $other Tensor<S, E, D, T>),)+),
            ) -> Result<Self::Output, Error> {
                $(let $first = sum($first, $other)?;)+
                Ok($first)
            }
        }
    };
    (@type $name:ident $tensor:ty) => { $tensor };
}
sum_of!(a b);
sum_of!(a b c);
sum_of!(a b c d);
sum_of!(a b c d e);
sum_of!(a b c d e f);

/// The sum of two tensors, recorded once.
fn sum<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>(
    main: Tensor<S, E, D, T>,
    shortcut: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, Error> {
    let (main, shortcut) = (D::try_contiguous(main)?, D::try_contiguous(shortcut)?);
    if main.shape() != shortcut.shape() {
        return Err(unequal(&main.shape().concrete(), &shortcut.shape().concrete()));
    }
    let ((mut main, main_tape), (shortcut, shortcut_tape)) = (main.split_tape(), shortcut.split_tape());
    let wants = (main_tape.requires_grad(), shortcut_tape.requires_grad());
    let mut tape = main_tape.merge(shortcut_tape);
    let recorded = <T as Tape<E, D>>::OWNS_TAPE && (wants.0 || wants.1);
    let device = shortcut.device();
    if !recorded || tape.overwrites() {
        let add = |main| device.add_assign(main, D::view(&D::read(&shortcut)));
        let add = |main| measure("add", Direction::Forward, || add(main));
        if let Some(result) = D::exclusive(&mut main).map(add) {
            result.map_err(Error::device)?;
            if recorded && wants.1 {
                let (sum, shortcut) = (Place::of(&main), Place::of(&shortcut));
                let backward = move |flow: &mut Flow<'_, E, D>| backward_overwritten(&sum, wants.0, &shortcut, flow);
                tape.record(&[], move |flow| measure("add", Direction::Backward, || backward(flow)));
            }
            return Ok(main.put_tape(tape));
        }
    }
    let y = device
        .try_create(*main.shape(), &mut |y| measure("add", Direction::Forward, || add(device, &main, &shortcut, y)));
    let y = y.map_err(Error::device)?;
    if recorded {
        let branches = [wants.0.then(|| Place::of(&main)), wants.1.then(|| Place::of(&shortcut))];
        let sum = Place::of(&y);
        tape.record(&[], move |flow| measure("add", Direction::Backward, || backward(&sum, branches, flow)));
    }
    Ok(y.put_tape(tape))
}

fn add<E: Dtype, D: Backend<E>>(
    device: &D,
    main: &dyn Buffer<E, D>,
    shortcut: &dyn Buffer<E, D>,
    y: D::ViewMut<'_>,
) -> Result<(), D::Err> {
    device.add(D::view(&main.read()), D::view(&shortcut.read()), y)
}

/// Both get the gradient of the sum.
fn backward<E: Dtype, D: Backend<E>>(
    sum: &Place<E, D>,
    branches: [Option<Place<E, D>>; 2],
    flow: &mut Flow<'_, E, D>,
) -> Result<(), D::Err> {
    let (device, grad_output) = (sum.device(), sum.take(flow)?);
    let (first, last) = match branches {
        [Some(main), Some(shortcut)] => (Some(main), shortcut),
        [Some(only), None] | [None, Some(only)] => (None, only),
        [None, None] => return Ok(()),
    };
    if let Some(first) = first {
        first.give(flow, |gradient, write| match write {
            Write::Replace => device.copy(D::memory(&grad_output), gradient),
            Write::Add => device.add_assign(gradient, D::memory(&grad_output)),
        })?;
    }
    last.hand_over(flow, grad_output)
}

/// As [`backward`] where the sum was written over the main branch: the gradient of the one is that of the other, which
/// `keeps` it if it wants one.
fn backward_overwritten<E: Dtype, D: Backend<E>>(
    sum: &Place<E, D>,
    keeps: bool,
    shortcut: &Place<E, D>,
    flow: &mut Flow<'_, E, D>,
) -> Result<(), D::Err> {
    let (device, gradient) = (sum.device(), sum.take(flow)?);
    if !keeps {
        return shortcut.hand_over(flow, gradient);
    }
    shortcut.give(flow, |to, write| match write {
        Write::Replace => device.copy(D::memory(&gradient), to),
        Write::Add => device.add_assign(to, D::memory(&gradient)),
    })?;
    sum.put(flow, gradient)
}

/// The first dimension in which two shapes of run-time sizes differ.
pub(super) fn unequal<C: Clone + IntoIterator<Item = usize>>(main: &C, shortcut: &C) -> Error {
    let mut pairs = main.clone().into_iter().zip(shortcut.clone());
    let (expected, found) = pairs.find(|(main, shortcut)| main != shortcut).unwrap_or_default();
    Error::Shape { expected, found }
}
