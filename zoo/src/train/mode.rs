//! Work in one mode, after which the layers of a model are in their previous modes again.

use pvlu::layer::{Mode, Switches};

use crate::model::Model;

/// Runs `work` with every layer in `mode`, and puts back the previous modes whatever `work` returns: a change of mode
/// that lasts is left to the user.
pub(super) fn in_mode<T>(model: &mut dyn Model, mode: Mode, work: impl FnOnce(&mut dyn Model) -> T) -> T {
    let mut before = Vec::new();
    model.switches(&mut |switches| before.extend(mode_of(switches).copied()));
    model.set_mode(mode);
    let result = work(model);
    let mut before = before.into_iter();
    model.switches(&mut |switches| {
        if let Some(mode) = mode_of(switches)
            && let Some(kept) = before.next()
        {
            *mode = kept;
        }
    });
    result
}

/// The mode of a layer that has one.
fn mode_of(switches: Switches<'_>) -> Option<&mut Mode> {
    match switches {
        Switches::BatchNorm(batch_norm) => Some(&mut batch_norm.mode),
        Switches::Dropout(dropout) => Some(&mut dropout.mode),
        _ => None,
    }
}
