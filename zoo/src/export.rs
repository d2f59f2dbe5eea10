//! Models in the formats of other programs.
//!
//! A network is written from the [graph](pvlu::layer::Graph) that its layers describe themselves by, so that any
//! network behind a [`Model`](crate::model::Model) can be, not only those of the registry.

mod error;
mod form;
pub mod keras;
pub mod onnx;
mod pair;
mod python;
pub mod torch;

pub use error::ExportError;
#[doc(hidden)]
pub use pair::Pair;
