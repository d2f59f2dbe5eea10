//! Choosing the activation of a network when the program runs.

use dfdx::shapes::Dtype;
use dfdx::tensor::Storage;

use super::any_tensor::AnyTensor;
use super::walk::{Path, Role, Slot, Switches, Walk, WalkerMut};
use crate::activation::{Definition, Param};
use crate::error::Error;

/// Makes every layer of a network whose activation is [`Chosen`](crate::activation::Chosen) apply this one. `start`
/// says where a parameter starts: at [`Param::start`] in training from scratch, at [`Param::swapped`] in the place of
/// another activation.
///
/// # Errors
///
/// [`Error::NotChosen`] for a layer whose activation is another type; the layers before it are then changed.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::activation::{Chosen, Definition, Pvlu};
/// use pvlu::layer::builder::{Act, Conv2D};
/// use pvlu::layer::choose_activation;
///
/// let mut net = Cpu::default().build_module::<(Conv2D<3, 4, 3>, Act<Chosen, 4>), f32>();
/// assert_eq!(net.1.definition().name(), "relu");
/// choose_activation(&mut net, Definition::of::<Pvlu>(), |param| param.start)?;
/// assert_eq!(net.1.param("alpha").unwrap().array(), [0.5; 4]);
/// # Ok::<(), pvlu::Error>(())
/// ```
pub fn choose_activation<E: Dtype, D: Storage<E>>(
    net: &mut dyn Walk<E, D>,
    activation: &'static Definition,
    start: fn(&Param) -> f64,
) -> Result<(), Error> {
    net.walk_mut(&mut Path::root(), &mut Choose { activation, start })
}

struct Choose {
    activation: &'static Definition,
    start: fn(&Param) -> f64,
}

impl<E: Dtype, D: Storage<E>> WalkerMut<E, D> for Choose {
    fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), Error> {
        if let Switches::Activation { activation, .. } = switches {
            *activation = self.activation;
        }
        Ok(())
    }

    fn tensor(&mut self, slot: Slot<'_>, tensor: &mut dyn AnyTensor<E, D>) -> Result<(), Error> {
        if !matches!(slot.role, Role::Activation | Role::Hyperparameter) {
            return Ok(());
        }
        let name = slot.path.rsplit('.').next();
        let params = self.activation.params();
        let Some(param) = params.iter().find(|param| Some(param.name) == name) else {
            return Ok(());
        };
        let value = E::from_f64((self.start)(param)).unwrap_or_default();
        tensor.with_mut(&mut |values| values.fill(value))
    }
}
