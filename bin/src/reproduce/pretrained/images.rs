//! The augmentation and filter of a table, with the user's values instead of the protocol's where they are given.

use pvlu_zoo::data::{Augmentation, Gaussian};

use crate::reproduce::args::TuningArgs;
use crate::reproduce::protocol::pretrained::{FILTER, Protocol, SHIFT};

/// The augmentation of a table's training images, in pixels of a 32x32 image.
pub fn augmentation(protocol: &Protocol, args: &TuningArgs) -> Augmentation {
    let Some(side) = protocol.cutout else { return Augmentation::NONE };
    let side = args.cutout.map_or(side, usize::from);
    let shift = args.common.shift.map_or(SHIFT, usize::from);
    Augmentation { flip: true, shift, cutout: (side > 0).then_some(side) }
}

/// The filter of the arms' images; `None` if the table has none.
pub fn filter(protocol: &Protocol, args: &TuningArgs) -> Option<Gaussian> {
    protocol.filtered.then(|| Gaussian {
        sigma: args.filter_sigma.unwrap_or(FILTER.sigma),
        radius: args.filter_radius.map_or(FILTER.radius, usize::from),
    })
}
