//! Parameters of an activation that has one for each element of a map.

use std::borrow::Cow;

use dfdx::prelude::Device;
use dfdx::shapes::Dtype;
use dfdx::tensor::{Storage, Tensor, UniqueId};

use super::any_tensor::{AnyTensor, Host};
use super::layer_summary::Extent;
use crate::activation::Definition;
use crate::error::{Error, MapSizes};
use crate::tape::LeafGradients;

/// The maps that an activation with a parameter for each element is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Size of the map.
    pub map: Extent,
    /// Size of the image that the network makes it of.
    pub image: Extent,
}

/// The parameters of one activation, one value for each element of a map.
#[derive(Clone, Debug)]
pub(super) struct PerElement<E: Dtype, D: Storage<E>> {
    pub(super) site: Site,
    /// The parameters in the order of [`Activation::PARAMS`](crate::activation::Activation::PARAMS).
    pub(super) params: Vec<Elements<E, D>>,
}

impl<E: Dtype, D: Device<E>> PerElement<E, D> {
    /// As many parameters, all of them zero.
    pub(super) fn try_zeros(device: &D, site: Site, params: usize) -> Result<Self, Error> {
        let zeros = |_| {
            let tensor = device.try_zeros_like(&(site.map.elements(),)).map_err(Error::device)?;
            Ok(Elements { map: site.map, tensor })
        };
        Ok(Self { site, params: (0..params).map(zeros).collect::<Result<_, Error>>()? })
    }
}

impl<E: Dtype, D: Storage<E>> PerElement<E, D> {
    /// The parameters, if they are for maps of this size; else [`Error::MapSize`], or [`Error::NoMapSize`] without any.
    pub(super) fn of_map<'a>(
        elements: Option<&'a Self>,
        activation: &Definition,
        map: Extent,
    ) -> Result<&'a Self, Error> {
        let activation = activation.text();
        match elements {
            Some(elements) if elements.site.map == map => Ok(elements),
            Some(Self { site, .. }) => {
                let [expected, image, found] = [site.map, site.image, map].map(|size| size.to_string());
                Err(Error::MapSize { activation, sizes: Box::new(MapSizes { expected, image, found }) })
            }
            None => Err(Error::NoMapSize { activation, found: map.to_string() }),
        }
    }
}

impl<E: Dtype, D: Host<E>> PerElement<E, D> {
    /// The parameters, in order.
    pub(super) fn tensors(&self) -> Vec<&dyn AnyTensor<E, D>> {
        self.params.iter().map(|tensor| tensor as &dyn AnyTensor<E, D>).collect()
    }

    /// The same parameters as [`tensors`](Self::tensors), for changing.
    pub(super) fn tensors_mut(&mut self) -> Vec<&mut dyn AnyTensor<E, D>> {
        self.params.iter_mut().map(|tensor| tensor as &mut dyn AnyTensor<E, D>).collect()
    }
}

/// One parameter. The kernels see its values in a row; its dimensions are those of the map.
#[derive(Clone, Debug)]
pub(super) struct Elements<E: Dtype, D: Storage<E>> {
    map: Extent,
    pub(super) tensor: Tensor<(usize,), E, D>,
}

impl<E: Dtype, D: Host<E>> AnyTensor<E, D> for Elements<E, D> {
    fn dims(&self) -> Vec<usize> {
        match self.map {
            Extent::Image { channels, height, width } => vec![channels, height, width],
            Extent::Features { width } => vec![width],
            // No map that an activation is told is several.
            several @ Extent::Several(_) => vec![several.elements()],
        }
    }
    fn read(&self) -> Result<Cow<'_, [E]>, Error> {
        D::read(&self.tensor)
    }
    fn with_mut(&mut self, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error> {
        D::with_mut(&mut self.tensor, write)
    }
    fn id(&self) -> UniqueId {
        AnyTensor::id(&self.tensor)
    }
    fn gradient<'g>(&self, gradients: &'g mut LeafGradients<E, D>) -> Result<Option<&'g mut D::Vec>, Error> {
        AnyTensor::gradient(&self.tensor, gradients)
    }
}
