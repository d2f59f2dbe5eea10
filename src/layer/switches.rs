//! Switches over a whole network: train or eval, frozen or not, seeds.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::batch_norm_switches::BatchNormSwitches;
use super::dropout_state::DropoutState;
use super::mode::Mode;
use super::per_element::Site;
use super::visit::{Path, Switches, Visit, VisitorMut};
use crate::activation::Definition;
use crate::kernel::Precision;

/// The values of one layer's [`Switches`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwitchState(State);

#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one for each layer, made where a mode is changed and not in a step")]
enum State {
    Weights { frozen: bool, bias_trained: Option<bool>, outputs: Option<usize>, precision: Precision },
    Activation { frozen: bool, activation: &'static Definition, site: Option<Site> },
    BatchNorm(BatchNormSwitches),
    Dropout(DropoutState),
}

impl Switches<'_> {
    /// The present values of the switches.
    pub fn state(&self) -> SwitchState {
        SwitchState(match self {
            Switches::Weights { frozen, bias_trained, outputs, precision } => State::Weights {
                frozen: **frozen,
                bias_trained: bias_trained.as_ref().map(|trained| **trained),
                outputs: outputs.as_ref().map(|outputs| **outputs),
                precision: **precision,
            },
            Switches::Activation { frozen, activation, site, .. } => {
                State::Activation { frozen: **frozen, activation, site: **site }
            }
            Switches::BatchNorm(switches) => State::BatchNorm(**switches),
            Switches::Dropout(state) => State::Dropout(**state),
        })
    }

    /// Puts them to what those of another layer stand at. Nothing happens if that was of another kind.
    pub fn set(self, to: SwitchState) {
        match (self, to.0) {
            (
                Switches::Weights { frozen, bias_trained, outputs, precision },
                State::Weights { frozen: new, bias_trained: trained, outputs: number, precision: of_factors },
            ) => {
                (*frozen, *precision) = (new, of_factors);
                if let (Some(bias_trained), Some(trained)) = (bias_trained, trained) {
                    *bias_trained = trained;
                }
                if let (Some(outputs), Some(number)) = (outputs, number) {
                    *outputs = number;
                }
            }
            (
                Switches::Activation { frozen, activation, site, .. },
                State::Activation { frozen: new, activation: chosen, site: place },
            ) => {
                (*frozen, *activation, *site) = (new, chosen, place);
            }
            (Switches::BatchNorm(switches), State::BatchNorm(new)) => *switches = new,
            (Switches::Dropout(state), State::Dropout(new)) => *state = new,
            _ => {}
        }
    }
}

/// Applies a function to the switches of every layer.
struct Each<'a>(&'a mut dyn FnMut(&str, Switches<'_>));

impl<E: Unit, D: Storage<E>> VisitorMut<E, D> for Each<'_> {
    fn switches(&mut self, path: &str, switches: Switches<'_>) -> Result<(), crate::error::Error> {
        (self.0)(path, switches);
        Ok(())
    }
}

/// Switches of a network, for everything that can be visited.
pub trait Switch<E: Unit, D: Storage<E>>: Visit<E, D> {
    /// Applies a function to the switches of every layer, in forward order.
    fn each_switch(&mut self, mut change: impl FnMut(Switches<'_>)) {
        self.each_switch_at(|_, switches| change(switches));
    }

    /// Applies a function to the switches of every layer, in forward order, with the path of each.
    fn each_switch_at(&mut self, mut change: impl FnMut(&str, Switches<'_>)) {
        self.visit_mut(&mut Path::root(), &mut Each(&mut change)).expect("this visitor returns no error");
    }

    /// Puts dropouts and batch norms into a mode; [`Mode::Auto`] is the one that they are built in.
    fn set_mode(&mut self, mode: Mode) {
        self.each_switch(|switches| match switches {
            Switches::BatchNorm(batch_norm) => batch_norm.mode = mode,
            Switches::Dropout(dropout) => dropout.mode = mode,
            _ => {}
        });
    }

    /// Seeds the dropouts, each with a stream of its own, and starts their counts at zero.
    fn seed_dropout(&mut self, seed: u64) {
        let mut site = 0;
        self.each_switch(|switches| {
            if let Switches::Dropout(dropout) = switches {
                dropout.reseed(seed, site);
                site += 1;
            }
        });
    }

    /// Sets the precision of the factors of convolutions and linear layers. A layer gives
    /// [`Error::NoPrecision`](crate::Error::NoPrecision) on a device, or with an element type, that has not that
    /// precision: reduced ones are there for `f32` on the CPU.
    fn set_precision(&mut self, to: Precision) {
        self.each_switch(|switches| {
            if let Switches::Weights { precision, .. } = switches {
                *precision = to;
            }
        });
    }

    /// Freezes or releases the weights and biases of convolutions and linear layers.
    fn freeze_weights(&mut self, freeze: bool) {
        self.each_switch(|switches| {
            if let Switches::Weights { frozen, .. } = switches {
                *frozen = freeze;
            }
        });
    }

    /// Freezes or releases the parameters of activations.
    fn freeze_activations(&mut self, freeze: bool) {
        self.each_switch(|switches| {
            if let Switches::Activation { frozen, .. } = switches {
                *frozen = freeze;
            }
        });
    }

    /// Freezes or releases batch norms: their scale and shift, and their running statistics.
    fn freeze_batch_norm(&mut self, affine: bool, statistics: bool) {
        self.each_switch(|switches| {
            if let Switches::BatchNorm(batch_norm) = switches {
                batch_norm.affine_frozen = affine;
                batch_norm.statistics_frozen = statistics;
            }
        });
    }
}

impl<E: Unit, D: Storage<E>, M: Visit<E, D> + ?Sized> Switch<E, D> for M {}
