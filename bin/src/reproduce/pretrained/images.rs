//! What a table does to images, with the values that the user gave in the place of the protocol's.

use pvlu_zoo::data::{Augmentation, Gaussian};

use crate::reproduce::args::TuningArgs;
use crate::reproduce::protocol::pretrained::{FILTER, Protocol, SHIFT};

/// How a table changes training images, in pixels of CIFAR's.
pub fn augmentation(protocol: &Protocol, args: &TuningArgs) -> Augmentation {
    if !protocol.augmented {
        return Augmentation::NONE;
    }
    let side = args.cutout.map_or(protocol.set.cutout(), usize::from);
    let shift = args.common.shift.map_or(SHIFT, usize::from);
    Augmentation { flip: true, shift, cutout: (side > 0).then_some(side) }
}

/// The filter that the arms of a table see images through.
pub fn filter(protocol: &Protocol, args: &TuningArgs) -> Option<Gaussian> {
    protocol.filtered.then(|| Gaussian {
        sigma: args.filter_sigma.unwrap_or(FILTER.sigma),
        radius: args.filter_radius.map_or(FILTER.radius, usize::from),
    })
}
