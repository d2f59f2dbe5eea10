//! Choosing the activation of a network when the program runs.

use std::collections::BTreeMap;

use dfdx::shapes::Dtype;
use dfdx::tensor::Storage;

use super::any_tensor::AnyTensor;
use super::layer_summary::{Extent, LayerKind};
use super::per_element::Site;
use super::visit::{NamedTensor, ParamKind, Path, Switches, Visit, VisitorMut};
use crate::activation::{Definition, Param};
use crate::error::Error;

/// Makes every layer of a network whose activation is [`Chosen`](crate::activation::Chosen) apply this one. `start`
/// says where a parameter starts: at [`Param::start`] in training from scratch, at [`Param::swapped`] where it replaces
/// another activation.
///
/// `image` is the size of the images that the network is for. An activation with a [parameter for each
/// element](crate::activation::Activation::PER_ELEMENT) has them for the maps of these images, and gives
/// [`Error::MapSize`] for others; others take images of every size. A layer whose type is such an activation is told
/// the size in the same way.
///
/// # Errors
///
/// [`Error::NotChosen`] for a layer whose activation is another type; the layers before it are then changed.
/// [`Error::Shape`] or [`Error::Window`] for images that the network does not take, where their size matters;
/// [`Error::Device`] if there is no memory.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::activation::{Chosen, Definition, Pvlu};
/// use pvlu::layer::builder::{Act, Conv2D};
/// use pvlu::layer::{Extent, choose_activation};
///
/// let mut net = Cpu::default().build_module::<(Conv2D<3, 4, 3>, Act<Chosen, 4>), f32>();
/// assert_eq!(net.1.definition().name(), "relu");
/// choose_activation(&mut net, Definition::of::<Pvlu>(), Extent::image(3, 8, 8), |param| param.start)?;
/// assert_eq!(net.1.param("alpha").unwrap().array(), [0.5; 4]);
/// # Ok::<(), pvlu::Error>(())
/// ```
pub fn choose_activation<E: Dtype, D: Storage<E>>(
    net: &mut dyn Visit<E, D>,
    activation: &'static Definition,
    image: Extent,
    start: fn(&Param) -> f64,
) -> Result<(), Error> {
    let mut sites = BTreeMap::new();
    if activation.is_per_element() {
        net.summarize(&mut Path::root(), image, &mut |layer| {
            if let LayerKind::Activation { .. } = layer.kind {
                sites.insert(layer.path.to_owned(), Site { map: layer.output, image });
            }
        })?;
    }
    net.visit_mut(&mut Path::root(), &mut Choose { activation, sites, start, zeros: false })
}

struct Choose {
    activation: &'static Definition,
    /// Sites by the path of the layer, if the size of its maps matters.
    sites: BTreeMap<String, Site>,
    start: fn(&Param) -> f64,
    /// True if the layer has just made its parameters, one for each element, as zeros: zeros are then not written
    /// again, so that memory is not taken before it is used.
    zeros: bool,
}

impl<E: Dtype, D: Storage<E>> VisitorMut<E, D> for Choose {
    fn switches(&mut self, path: &str, switches: Switches<'_>) -> Result<(), Error> {
        if let Switches::Activation { activation, site, .. } = switches {
            let found = self.sites.get(path).copied();
            self.zeros = found.is_some() && (*activation, *site) != (self.activation, found);
            (*activation, *site) = (self.activation, found);
        }
        Ok(())
    }

    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<E, D>) -> Result<(), Error> {
        if !matches!(slot.kind, ParamKind::Activation | ParamKind::Hyperparameter) {
            return Ok(());
        }
        let name = slot.path.rsplit('.').next();
        let params = self.activation.params();
        let Some(param) = params.iter().find(|param| Some(param.name) == name) else {
            return Ok(());
        };
        let value = E::from_f64((self.start)(param)).unwrap_or_default();
        if self.zeros && value == E::default() {
            return Ok(());
        }
        tensor.with_mut(&mut |values| values.fill(value))
    }
}
