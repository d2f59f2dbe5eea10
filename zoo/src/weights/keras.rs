//! Files of Keras that are more than one HDF5: the archive `.keras`, weights in several files, quantized layers.
//!
//! | file | HDF5 | names |
//! |---|---|---|
//! | `.h5` | the file | in the HDF5 |
//! | `.weights.h5` | the file | classes of layers, counted |
//! | `.keras` | `model.weights.h5` in a zip archive, stored | counted; `config.json` says of what |
//! | `NAME.weights.json` | `NAME_00000.weights.h5` and so on, which it lists | counted |

mod archive;
mod names;
mod quantized;
mod shards;
#[cfg(test)]
mod tests;

pub(super) use self::archive::{Archive, open};
pub(super) use self::names::names;
pub(crate) use self::names::snake;
pub(super) use self::quantized::check;
pub(super) use self::shards::Shards;

/// Name of a layer of a model within a model, by the path of models that leads to it. As in Keras' legacy files that
/// is the outermost model and the layer: `base/conv1` for `base/inner/conv1`.
pub(super) fn nested_name(path: &str) -> std::borrow::Cow<'_, str> {
    match (path.split_once('/'), path.rsplit_once('/')) {
        (Some((outer, rest)), Some((_, layer))) if rest != layer => format!("{outer}/{layer}").into(),
        _ => path.into(),
    }
}
