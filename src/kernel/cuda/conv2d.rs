//! Two-dimensional convolution: the formulas are in [`cpu::conv2d`](crate::kernel::cpu::conv2d).
//!
//! A group of images is unfolded into columns `[C K K, images pixels]`, and each pass is one product of matrices a
//! group:
//!
//! ```text
//! y = w columns        columns' = w^T dy, folded back into dx        dw += dy columns^T
//! ```
//!
//! `y` and `dy` are then `[O, images pixels]`, not in the order of tensors: they are brought into it, or out of it, in
//! a pass of their own, which costs little beside the columns. So the products are large however small the images are.
//! A 1x1 kernel with stride one, on images that are large themselves, is a product for each image, as it lies in
//! memory.

use std::ops::Range;

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::CudaError;

use super::gemm::{Factor, product};
use super::gpu::{Module, blocks, blocks_over, module};
use super::walk::{self, mode};
use super::{CudaElement, Gpu, View, ViewMut, elementwise, sums};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

const MODULE: Module = module!("conv2d", ["conv2d_unfold", "conv2d_fold", "conv2d_spread", "conv2d_gather"]);

/// Bytes for the columns of a group and what the product makes of them, at most, unless one image needs more.
const WORKSPACE: usize = 256 << 20;

/// Images of at least this many pixels are not grouped where they need no unfolding.
const LARGE: usize = 256;

/// The twin of `ConvSizes` in `conv2d.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ConvSizes {
    images: usize,
    channels: usize,
    in_height: i32,
    in_width: i32,
    out_height: i32,
    out_width: i32,
    kernel: i32,
    stride: i32,
    padding: i32,
}

// SAFETY: numbers, laid out as C does and the kernels expect.
unsafe impl DeviceRepr for ConvSizes {}

impl ConvSizes {
    fn of(shape: &ConvShape, images: usize) -> Self {
        let size = |size: usize| i32::try_from(size).expect("an image has sides below 2^31");
        Self {
            images,
            channels: shape.in_channels,
            in_height: size(shape.in_height),
            in_width: size(shape.in_width),
            out_height: size(shape.out_height()),
            out_width: size(shape.out_width()),
            kernel: size(shape.kernel),
            stride: size(shape.stride),
            padding: size(shape.padding),
        }
    }
}

/// `y = conv(x, weight) + bias`. Shapes: `x` `[N, C, H, W]`, `weight` `[O, C, K, K]`, `bias` `[O]`, `y`
/// `[N, O, H', W']`.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    x: View<'_, E>,
    weight: View<'_, E>,
    bias: Option<View<'_, E>>,
    mut y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(y.len(), shape.output_len(), "length of y");
    if y.is_empty() {
        return Ok(());
    }
    assert!(bias.is_none_or(|bias| bias.len() == shape.out_channels), "length of bias");
    if x.is_empty() {
        // No channels or no pixels but padding: the sums are empty.
        return spread(gpu, shape, shape.batch, None, bias, y);
    }
    let weight = Factor::new(weight, shape.out_channels, shape.fan_in());
    if is_direct(shape) {
        for image in 0..shape.batch {
            let x = Factor::new(x.part(inputs(shape, image..image + 1)), shape.in_channels, shape.out_pixels());
            product(gpu, weight, x, y.part(outputs(shape, image..image + 1)), Write::Replace)?;
        }
        return match bias {
            Some(bias) => elementwise::add_bias(gpu, output_layout(shape, shape.batch), bias, y),
            None => Ok(()),
        };
    }
    let [mut columns, mut products] = workspace(gpu, shape)?;
    for images in groups::<E>(shape) {
        let (count, width) = (images.len(), images.len() * shape.out_pixels());
        let mut columns = ViewMut::of(&mut columns);
        let mut columns = columns.part(0..shape.fan_in() * width);
        unfold(gpu, shape, x.part(inputs(shape, images.clone())), columns.reborrow(), count)?;
        let columns = Factor::new(columns.read(), shape.fan_in(), width);
        let mut products = ViewMut::of(&mut products);
        let mut products = products.part(0..shape.out_channels * width);
        product(gpu, weight, columns, products.reborrow(), Write::Replace)?;
        spread(gpu, shape, count, Some(products.read()), bias, y.part(outputs(shape, images)))?;
    }
    Ok(())
}

/// `grad_x = conv^T(grad_output)` or `grad_x += conv^T(grad_output)`: the gradient of the input.
pub fn backward_input<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    weight: View<'_, E>,
    grad_output: View<'_, E>,
    mut grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_x.len(), shape.input_len(), "length of grad_x");
    if grad_x.is_empty() {
        return Ok(());
    }
    if grad_output.is_empty() {
        return if write == Write::Replace { gpu.zero(grad_x) } else { Ok(()) };
    }
    let weight = Factor::new(weight, shape.out_channels, shape.fan_in()).transposed();
    if is_direct(shape) {
        for image in 0..shape.batch {
            let pulled = grad_output.part(outputs(shape, image..image + 1));
            let pulled = Factor::new(pulled, shape.out_channels, shape.out_pixels());
            product(gpu, weight, pulled, grad_x.part(inputs(shape, image..image + 1)), write)?;
        }
        return Ok(());
    }
    let [mut columns, mut products] = workspace(gpu, shape)?;
    for images in groups::<E>(shape) {
        let (count, width) = (images.len(), images.len() * shape.out_pixels());
        let mut products = ViewMut::of(&mut products);
        let mut pulled = products.part(0..shape.out_channels * width);
        gather(gpu, shape, grad_output.part(outputs(shape, images.clone())), pulled.reborrow(), count)?;
        let pulled = Factor::new(pulled.read(), shape.out_channels, width);
        let mut columns = ViewMut::of(&mut columns);
        let mut columns = columns.part(0..shape.fan_in() * width);
        product(gpu, weight, pulled, columns.reborrow(), Write::Replace)?;
        let to = grad_x.part(inputs(shape, images));
        let arguments = (ConvSizes::of(shape, count), columns.pointer(), to.pointer(), mode(write));
        // SAFETY: columns and images of as many images as the sizes say.
        unsafe { gpu.launch::<E, _>(&MODULE, "conv2d_fold", blocks(to.len()), arguments) }?;
    }
    Ok(())
}

/// `grad_weight += sum over images and pixels of grad_output times patch`, in the order of the images.
pub fn backward_weight<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    x: View<'_, E>,
    grad_output: View<'_, E>,
    mut grad_weight: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_weight.len(), shape.weight_len(), "length of grad_weight");
    if x.is_empty() || grad_output.is_empty() {
        return Ok(());
    }
    if is_direct(shape) {
        let pixels = shape.out_pixels();
        for image in 0..shape.batch {
            let pulled = Factor::new(grad_output.part(outputs(shape, image..image + 1)), shape.out_channels, pixels);
            let x = Factor::new(x.part(inputs(shape, image..image + 1)), shape.in_channels, pixels);
            product(gpu, pulled, x.transposed(), grad_weight.reborrow(), Write::Add)?;
        }
        return Ok(());
    }
    let [mut columns, mut products] = workspace(gpu, shape)?;
    for images in groups::<E>(shape) {
        let (count, width) = (images.len(), images.len() * shape.out_pixels());
        let mut products = ViewMut::of(&mut products);
        let mut pulled = products.part(0..shape.out_channels * width);
        gather(gpu, shape, grad_output.part(outputs(shape, images.clone())), pulled.reborrow(), count)?;
        let pulled = Factor::new(pulled.read(), shape.out_channels, width);
        let mut columns = ViewMut::of(&mut columns);
        let mut columns = columns.part(0..shape.fan_in() * width);
        unfold(gpu, shape, x.part(inputs(shape, images)), columns.reborrow(), count)?;
        let columns = Factor::new(columns.read(), shape.fan_in(), width);
        product(gpu, pulled, columns.transposed(), grad_weight.reborrow(), Write::Add)?;
    }
    Ok(())
}

/// `grad_bias += sum over images and pixels of grad_output`.
pub fn backward_bias<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    grad_output: View<'_, E>,
    grad_bias: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    sums::add_channel_sums(gpu, output_layout(shape, shape.batch), grad_output, grad_bias)
}

/// Returns whether each image is a matrix as it lies in memory, and large enough for a product of its own.
fn is_direct(shape: &ConvShape) -> bool {
    shape.is_pointwise() && (shape.batch == 1 || shape.out_pixels() >= LARGE)
}

/// Images of a group, at most. All groups but the last one have as many.
fn group<E>(shape: &ConvShape) -> usize {
    let bytes = (shape.fan_in() + shape.out_channels) * shape.out_pixels() * size_of::<E>();
    let most = (WORKSPACE / bytes.max(1)).clamp(1, shape.batch);
    // As few groups as that allows, and those even.
    shape.batch.div_ceil(shape.batch.div_ceil(most))
}

fn groups<E>(shape: &ConvShape) -> impl Iterator<Item = Range<usize>> + use<E> {
    let (batch, group) = (shape.batch, group::<E>(shape));
    (0..batch).step_by(group).map(move |first| first..batch.min(first + group))
}

/// Elements of some images of the input.
fn inputs(shape: &ConvShape, images: Range<usize>) -> Range<usize> {
    let image = shape.in_channels * shape.in_pixels();
    images.start * image..images.end * image
}

/// Elements of some images of the output.
fn outputs(shape: &ConvShape, images: Range<usize>) -> Range<usize> {
    let image = shape.out_channels * shape.out_pixels();
    images.start * image..images.end * image
}

fn output_layout(shape: &ConvShape, images: usize) -> ChannelsLayout {
    ChannelsLayout { outer: images, channels: shape.out_channels, inner: shape.out_pixels() }
}

/// Memory for the columns of one group at a time, and for what is of the output's size: work on a stream is done in
/// order.
fn workspace<E: CudaElement>(gpu: &Gpu, shape: &ConvShape) -> Result<[CudaSlice<E>; 2], CudaError> {
    let width = group::<E>(shape) * shape.out_pixels();
    Ok([gpu.unfilled(shape.fan_in() * width)?, gpu.unfilled(shape.out_channels * width)?])
}

/// The columns of so many images.
fn unfold<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    x: View<'_, E>,
    columns: ViewMut<'_, E>,
    images: usize,
) -> Result<(), CudaError> {
    let width = images * shape.out_pixels();
    assert!(x.len() == images * shape.in_channels * shape.in_pixels() && columns.len() == shape.fan_in() * width);
    let arguments = (ConvSizes::of(shape, images), x.pointer(), columns.pointer());
    // SAFETY: columns and images of as many images as the sizes say.
    unsafe { gpu.launch::<E, _>(&MODULE, "conv2d_unfold", blocks(shape.in_channels * width), arguments) }
}

/// So many images of the output's shape as one matrix: the opposite of [`spread`].
fn gather<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    y: View<'_, E>,
    to: ViewMut<'_, E>,
    images: usize,
) -> Result<(), CudaError> {
    let layout = output_layout(shape, images);
    assert_eq!((y.len(), to.len()), (layout.len(), layout.len()));
    let arguments = (walk::Sizes::from(layout), y.pointer(), to.pointer());
    // SAFETY: both have the elements of the layout.
    unsafe { gpu.launch::<E, _>(&MODULE, "conv2d_gather", blocks_over::<E>(layout.len()), arguments) }
}

/// Brings a product into the order of tensors, and adds the bias; without a product, zeros.
fn spread<E: CudaElement>(
    gpu: &Gpu,
    shape: &ConvShape,
    images: usize,
    product: Option<View<'_, E>>,
    bias: Option<View<'_, E>>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let layout = output_layout(shape, images);
    assert!(y.len() == layout.len() && product.is_none_or(|product| product.len() == layout.len()));
    let pointer = |view: Option<View<'_, E>>| view.map_or(0, |view| view.pointer());
    let arguments = (walk::Sizes::from(layout), pointer(product), pointer(bias), y.pointer());
    // SAFETY: the lengths are those of the layout; null pointers are not read.
    unsafe { gpu.launch::<E, _>(&MODULE, "conv2d_spread", blocks_over::<E>(layout.len()), arguments) }
}
