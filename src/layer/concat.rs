//! Tensors joined by channels.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Shape};
use dfdx::tensor::{Merge, Tape, Tensor};

use super::add::unequal;
use super::apply::Buffer;
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::error::Error;
use crate::kernel::shape::Columns;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track};

/// The channels of several tensors, one tensor after the other: an operation on the outputs of
/// [`Branches`](super::Branches).
///
/// Shapes: a tuple of two to six tensors `(B, C1, H, W)`, `(B, C2, H, W)`, ... to `(B, OUT, H, W)`, or `(B, C1)`,
/// `(B, C2)`, ... to `(B, OUT)`. `OUT` is the sum of the channels: another number does not compile, nor do other rows
/// and columns. A size that is known at run time alone is an [`Error::Shape`] where it differs.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Net = (nn::Branches<(nn::Conv2D<3, 4, 1>, nn::Conv2D<3, 8, 3, 1, 1>)>, nn::Concat<12>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 3, 8, 8>, f32, _> = dev.sample_normal();
/// let joined: Tensor<Rank4<2, 12, 8, 8>, f32, _> = net.forward(images);
/// ```
///
/// Four channels and eight are not eleven:
///
/// ```compile_fail,E0080
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Net = (nn::Branches<(nn::Conv2D<3, 4, 1>, nn::Conv2D<3, 8, 3, 1, 1>)>, nn::Concat<11>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 3, 8, 8>, f32, _> = dev.sample_normal();
/// let joined: Tensor<Rank4<2, 11, 8, 8>, f32, _> = net.forward(images);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concat<const OUT: usize>;

impl<const OUT: usize> ZeroSizedModule for Concat<OUT> {}
impl<const OUT: usize> NonMutableModule for Concat<OUT> {}
nothing_to_visit!([const OUT: usize] Concat<OUT>, |input: Extent| (LayerKind::Concat, joined(input, OUT)));

/// The extent of the concatenation.
fn joined(input: Extent, channels: usize) -> Result<Extent, Error> {
    let parts = input.parts()?;
    let planes = parts.iter().map(|part| part.with_channels(1)).collect::<Vec<_>>();
    let plane = Extent::several(&planes)?.expect_equal_parts()?;
    input.expect_channels(channels)?;
    Ok(plane.with_channels(channels))
}

/// One of the concatenated tensors, free of its shape.
struct Input<E: Dtype, D: Backend<E>> {
    values: Box<dyn Buffer<E, D>>,
    /// Elements of one sample.
    row: usize,
    /// The place of the tensor's gradient; `None` if it is not wanted.
    place: Option<Place<E, D>>,
}

/// Takes the shape and the tape off a tensor.
fn input<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
    channels: usize,
    plane: usize,
) -> Result<(Input<E, D>, T), Error> {
    let (x, tape) = D::try_contiguous(x)?.split_tape();
    let place = (<T as Tape<E, D>>::OWNS_TAPE && tape.requires_grad()).then(|| Place::of(&x));
    Ok((Input { values: Box::new(x), row: channels * plane, place }, tape))
}

/// Joins the inputs, and records the operation on the tape if a gradient is wanted.
fn join<O: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    device: &D,
    out: O,
    rows: usize,
    inputs: Vec<Input<E, D>>,
    mut tape: T,
) -> Result<Tensor<O, E, D, T>, Error> {
    let y =
        device.try_create(out, &mut |y| measure("concat", Direction::Forward, || forward(device, rows, &inputs, y)));
    let y = y.map_err(Error::device)?;
    if inputs.iter().any(|input| input.place.is_some()) {
        let output = Place::of(&y);
        // The gradients need the sizes alone.
        let places = inputs.into_iter().map(|Input { row, place, .. }| (row, place)).collect::<Vec<_>>();
        tape.record(&[], move |flow| measure("concat", Direction::Backward, || backward(&output, rows, &places, flow)));
    }
    Ok(y.put_tape(tape))
}

fn forward<E: Dtype, D: Backend<E>>(
    device: &D,
    rows: usize,
    inputs: &[Input<E, D>],
    mut y: D::ViewMut<'_>,
) -> Result<(), D::Err> {
    let width = inputs.iter().map(|input| input.row).sum();
    let mut first = 0;
    for Input { values, row, .. } in inputs {
        let columns = Columns { rows, width, first, count: *row };
        device.write_columns(columns, D::view(&values.read()), D::reborrow(&mut y))?;
        first += row;
    }
    Ok(())
}

fn backward<E: Dtype, D: Backend<E>>(
    output: &Place<E, D>,
    rows: usize,
    places: &[(usize, Option<Place<E, D>>)],
    flow: &mut Flow<'_, E, D>,
) -> Result<(), D::Err> {
    let (device, grad_output) = (output.device(), output.take(flow)?);
    let width = places.iter().map(|(row, _)| row).sum();
    let mut first = 0;
    for (row, place) in places {
        let columns = Columns { rows, width, first, count: *row };
        if let Some(place) = place {
            place.give(flow, |grad_x, write| device.read_columns(columns, D::memory(&grad_output), grad_x, write))?;
        }
        first += row;
    }
    Ok(())
}

/// Implements the concatenation of as many tensors as the list has names, with these dimensions behind the channels.
macro_rules! concat_of {
    ([$($dim:ident $size:ident),*] $dims:tt $first:ident $channels:ident, $($other:ident $more:ident),+) => {
        impl<const OUT: usize, const $channels: usize, $(const $more: usize,)+ B, $($dim,)* E, D, T>
            Module<(
                Tensor<(B, Const<$channels>, $($dim),*), E, D, T>,
                $(concat_of!(@tensor $more $dims),)+
            )> for Concat<OUT>
        where
            B: Dim,
            $($dim: Dim,)*
            E: Dtype,
            D: Backend<E>,
            T: Track<E, D> + Merge<T>,
        {
            type Output = Tensor<(B, Const<OUT>, $($dim),*), E, D, T>;
            type Error = Error;

            fn try_forward(
                &self,
                ($first, $($other),+): (
                    Tensor<(B, Const<$channels>, $($dim),*), E, D, T>,
                    $(concat_of!(@tensor $more $dims),)+
                ),
            ) -> Result<Self::Output, Error> {
                const { assert!(OUT == $channels $(+ $more)+, "the output has the channels of all inputs") };
                let (batch, _, $($size),*) = *$first.shape();
                let sizes = $first.shape().concrete();
                $(
                    let mut others = $other.shape().concrete();
                    others[1] = sizes[1];
                    if others != sizes {
                        return Err(unequal(&sizes, &others));
                    }
                )+
                let plane = sizes[2..].iter().product();
                let device = $first.device().clone();
                let ($first, tape) = input($first, $channels, plane)?;
                let mut inputs = vec![$first];
                $(
                    let ($other, other) = input($other, $more, plane)?;
                    inputs.push($other);
                    let tape = tape.merge(other);
                )+
                join(&device, (batch, Const, $($size),*), sizes[0], inputs, tape)
            }
        }
    };
    (@tensor $channels:ident [$($dim:ident),*]) => { Tensor<(B, Const<$channels>, $($dim),*), E, D, T> };
}
/// Implements the concatenation of images and of features.
macro_rules! concat {
    ($($list:tt)+) => {
        concat_of!([H height, W width] [H, W] $($list)+);
        concat_of!([] [] $($list)+);
    };
}
concat!(a C0, b C1);
concat!(a C0, b C1, c C2);
concat!(a C0, b C1, c C2, d C3);
concat!(a C0, b C1, c C2, d C3, e C4);
concat!(a C0, b C1, c C2, d C3, e C4, f C5);
