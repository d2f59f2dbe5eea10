//! One step of training on any device: forward and backward over a batch.

use dfdx::prelude::Backward;
use dfdx::shapes::{Const, Dim, HasShape, Rank0};
use dfdx::tensor::{NoneTape, OwnedTape, Tensor};
use pvlu::Error;
use pvlu::backend::Backend;
use pvlu::layer::Host;
use pvlu::loss::{Targets, check_labels};
use pvlu::tape::TrackExt;

use super::NetworkOn;
use super::learn::{Images, Trained, learn_from};

/// A batch on a device from its values; [`Error::Shape`] if they are not whole images of this height and width.
pub(crate) fn batch<H: Dim, W: Dim, D: Backend<f32>, const I: usize>(
    device: &D,
    values: Vec<f32>,
    (height, width): (H, W),
) -> Result<Images<H, W, NoneTape, D, I>, Error> {
    let image = I * height.size() * width.size();
    if image == 0 || !values.len().is_multiple_of(image) {
        return Err(Error::Shape { expected: image, found: values.len() });
    }
    let shape = (values.len() / image, Const, height, width);
    device.try_tensor_from_vec(values, shape).map_err(|error| Error::Device(error.to_string()))
}

/// Forward and backward over one batch.
pub(crate) fn train_step<N, H: Dim, W: Dim, C: Dim, D: Backend<f32> + Host<f32>, const I: usize>(
    net: &mut N,
    images: Images<H, W, NoneTape, D, I>,
    classes: C,
    targets: &Targets<'_>,
) -> Result<Trained<D>, Error>
where
    N: NetworkOn<D, H, W, C, I>,
    Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
{
    // Before the forward pass, which moves running statistics.
    check_labels(targets.labels, HasShape::shape(&images).0, classes.size())?;
    learn_from(net.try_forward_mut(images.track())?, targets)
}
