//! The product of tensors.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Shape};
use dfdx::tensor::{Merge, Tape, Tensor};

use super::add::unequal;
use super::apply::Buffer;
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::{Backend, Write};
use crate::dim::Gates;
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track};

/// `y = x1 x2 ...`, element by element, from the left to the right: an operation on the outputs of
/// [`Branches`](super::Branches).
///
/// Shapes: a tuple of two to six tensors of one shape, to that shape; or a pair of a map `(B, C, H, W)` and a gate, one
/// factor for each channel of each image, as `(B, C)` or `(B, C, 1, 1)`, to the shape of the map. The gate is the
/// second of the pair. Other channels do not compile; another size that is known at run time alone is an
/// [`Error::Shape`].
///
/// The gradient of a factor of a gate is the sum over its map, in an order that the size of the map alone fixes.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// // Squeeze and excite (Hu et al. 2018), with a gate that is not held between 0 and 1.
/// type Gate = (nn::GlobalAvgPool2D, nn::Linear<8, 2>, nn::Act<Relu, 2>, nn::Linear<2, 8>);
/// type Net = (nn::Branches<(nn::Identity, Gate)>, nn::Multiply);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 8, 6, 6>, f32, _> = dev.sample_normal();
/// let gated: Tensor<Rank4<2, 8, 6, 6>, f32, _> = net.forward(images);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Multiply;

impl ZeroSizedModule for Multiply {}
impl NonMutableModule for Multiply {}
nothing_to_visit!([] Multiply, |input: Extent| (LayerKind::Multiply, product_extent(input)));

/// The extent of a product: of a map and its gate that of the map, else the one that all factors have.
fn product_extent(input: Extent) -> Result<Extent, Error> {
    if let [map @ Extent::Image { channels, .. }, gate] = input.parts()?[..]
        && [Extent::features(channels), Extent::image(channels, 1, 1)].contains(&gate)
    {
        return Ok(map);
    }
    input.expect_equal_parts()
}

/// The product of two tensors of which the second has one element for each `pixels` of the first, recorded once.
fn product<S: Shape, G: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>(
    x: Tensor<S, E, D, T>,
    gate: Tensor<G, E, D, T>,
    pixels: usize,
) -> Result<Tensor<S, E, D, T>, Error> {
    let (x, gate) = (D::try_contiguous(x)?, D::try_contiguous(gate)?);
    let ((x, x_tape), (gate, gate_tape)) = (x.split_tape(), gate.split_tape());
    let wants = (x_tape.requires_grad(), gate_tape.requires_grad());
    let mut tape = x_tape.merge(gate_tape);
    let device = x.device();
    let forward = |y: D::ViewMut<'_>| forward(device, pixels, &x, &gate, y);
    let y = device.try_create(*x.shape(), &mut |y| measure("multiply", Direction::Forward, || forward(y)));
    let y = y.map_err(Error::device)?;
    if <T as Tape<E, D>>::OWNS_TAPE && (wants.0 || wants.1) {
        let places = (wants.0.then(|| Place::of(&x)), wants.1.then(|| Place::of(&gate)));
        // The gradient of each is a product with the other one.
        let recorded = Recorded {
            pixels,
            output: Place::of(&y),
            x: places.0.map(|place| (place, Box::new(gate) as _)),
            gate: places.1.map(|place| (place, Box::new(x) as _)),
        };
        tape.record(&[], move |flow| measure("multiply", Direction::Backward, || recorded.backward(flow)));
    }
    Ok(y.put_tape(tape))
}

fn forward<E: Dtype, D: Backend<E>>(
    device: &D,
    pixels: usize,
    x: &dyn Buffer<E, D>,
    gate: &dyn Buffer<E, D>,
    y: D::ViewMut<'_>,
) -> Result<(), D::Err> {
    device.multiply(pixels, D::view(&x.read()), D::view(&gate.read()), y, Write::Replace)
}

/// A factor that wants a gradient: where it goes, and the other factor.
type Factor<E, D> = Option<(Place<E, D>, Box<dyn Buffer<E, D>>)>;

/// A product on a tape.
struct Recorded<E: Dtype, D: Backend<E>> {
    pixels: usize,
    output: Place<E, D>,
    x: Factor<E, D>,
    gate: Factor<E, D>,
}

impl<E: Dtype, D: Backend<E>> Recorded<E, D> {
    fn backward(self, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Self { pixels, output, x, gate } = self;
        let (device, grad_output) = (output.device(), output.take(flow)?);
        let grad_output = D::memory(&grad_output);
        if let Some((place, gate)) = x {
            let gate = gate.read();
            place.give(flow, |grad_x, write| device.multiply(pixels, grad_output, D::view(&gate), grad_x, write))?;
        }
        if let Some((place, x)) = gate {
            let x = x.read();
            place.give(flow, |grad_gate, write| {
                device.multiply_backward_gate(pixels, D::view(&x), grad_output, grad_gate, write)
            })?;
        }
        Ok(())
    }
}

/// Multiplies two tensors of one shape.
fn equal<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>(
    a: Tensor<S, E, D, T>,
    b: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, Error> {
    if a.shape() != b.shape() {
        return Err(unequal(&a.shape().concrete(), &b.shape().concrete()));
    }
    product(a, b, 1)
}

impl<B: Dim, const C: usize, H: Dim, W: Dim, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>
    Module<(Tensor<(B, Const<C>, H, W), E, D, T>, Tensor<(B, Const<C>), E, D, T>)> for Multiply
{
    type Output = Tensor<(B, Const<C>, H, W), E, D, T>;
    type Error = Error;

    fn try_forward(
        &self,
        (map, gate): (Tensor<(B, Const<C>, H, W), E, D, T>, Tensor<(B, Const<C>), E, D, T>),
    ) -> Result<Self::Output, Error> {
        let ((batch, _, height, width), (gates, _)) = (*map.shape(), *gate.shape());
        if batch != gates {
            return Err(Error::Shape { expected: batch.size(), found: gates.size() });
        }
        product(map, gate, height.size() * width.size())
    }
}

/// Two maps, or a map and a gate of one pixel.
impl<B, const C: usize, H, W, H2, W2, E, D, T>
    Module<(Tensor<(B, Const<C>, H, W), E, D, T>, Tensor<(B, Const<C>, H2, W2), E, D, T>)> for Multiply
where
    B: Dim,
    H: Dim,
    W: Dim,
    H2: Gates<H>,
    W2: Gates<W>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D> + Merge<T>,
{
    type Output = Tensor<(B, Const<C>, H, W), E, D, T>;
    type Error = Error;

    fn try_forward(
        &self,
        (map, gate): (Tensor<(B, Const<C>, H, W), E, D, T>, Tensor<(B, Const<C>, H2, W2), E, D, T>),
    ) -> Result<Self::Output, Error> {
        let ((batch, _, height, width), (gates, _, rows, columns)) = (*map.shape(), *gate.shape());
        rows.try_gate(height)?;
        columns.try_gate(width)?;
        if batch != gates {
            return Err(Error::Shape { expected: batch.size(), found: gates.size() });
        }
        let (whole, found) = ([height.size(), width.size()], [rows.size(), columns.size()]);
        match found {
            _ if found == whole => product(map, gate, 1),
            [1, 1] => product(map, gate, whole.iter().product()),
            // One row for all, or one column.
            _ => Err(unequal(&whole, &found)),
        }
    }
}

impl<B: Dim, const C: usize, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>
    Module<(Tensor<(B, Const<C>), E, D, T>, Tensor<(B, Const<C>), E, D, T>)> for Multiply
{
    type Output = Tensor<(B, Const<C>), E, D, T>;
    type Error = Error;

    fn try_forward(
        &self,
        (a, b): (Tensor<(B, Const<C>), E, D, T>, Tensor<(B, Const<C>), E, D, T>),
    ) -> Result<Self::Output, Error> {
        equal(a, b)
    }
}

/// Implements the product of as many inputs of one shape as the list has names.
macro_rules! product_of {
    ($first:ident $($other:ident)+) => {
        impl<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>
            Module<(Tensor<S, E, D, T>, $(product_of!(@type $other Tensor<S, E, D, T>),)+)> for Multiply
        {
            type Output = Tensor<S, E, D, T>;
            type Error = Error;

            fn try_forward(
                &self,
                ($first, $($other,)+): (Tensor<S, E, D, T>, $(product_of!(@type $other Tensor<S, E, D, T>),)+),
            ) -> Result<Self::Output, Error> {
                $(let $first = equal($first, $other)?;)+
                Ok($first)
            }
        }
    };
    (@type $name:ident $tensor:ty) => { $tensor };
}
product_of!(a b c);
product_of!(a b c d);
product_of!(a b c d e);
product_of!(a b c d e f);
