//! Models in the formats of other programs.

// Tests compare with the system's functions.
#![allow(clippy::disallowed_methods)]

mod keras;
mod networks;
mod onnxruntime;
mod reader;
mod registry;
mod rounding;
mod torch;

use std::path::Path;

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path as Place, VisitorMut};
use pvlu_zoo::checkpoint::Notes;
use pvlu_zoo::export::ExportError;
use pvlu_zoo::export::onnx::{Options, save};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{ModelEntry, Options as Wanted, Sides, Start};
use reader::File;

/// A model for the smallest images that it takes; see [`sized`].
fn small(entry: &'static ModelEntry, activation: &str) -> Box<dyn Model> {
    let side = match entry.sides() {
        Sides::Any { least, .. } => least,
        Sides::Square(sides) => sides.iter().copied().min().unwrap(),
    };
    sized(entry, activation, side)
}

/// A model for images of a side and ten classes, in which no tensor has the value that it starts with.
fn sized(entry: &'static ModelEntry, activation: &str, side: usize) -> Box<dyn Model> {
    let wanted = Wanted { activation, classes: 10, image: Some((side, side)), weights: Start::Seed(1) };
    let mut model = entry.build(&wanted).unwrap();
    model.net_mut().visit_mut(&mut Place::root(), &mut Shake(0)).unwrap();
    model
}

/// Moves what does not start with drawn numbers.
struct Shake(u32);

impl VisitorMut<f32, Cpu> for Shake {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        let scale = match slot.kind {
            ParamKind::Weight => return Ok(()),
            ParamKind::RunningVariance | ParamKind::Scale => 0.5,
            _ => 0.1,
        };
        tensor.with_mut(&mut |values| {
            for value in values {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value += scale * ((self.0 >> 8) as f32 / 8_388_608.0 - 1.0);
            }
        })
    }
}

/// Writes a model of the registry.
fn write(model: &dyn Model, name: &str, to: &Path, fold_batch_norm: bool) -> Result<(), ExportError> {
    save(model, name, to, &Notes::default(), &Options { fold_batch_norm })
}

/// The file that a model is written to, read again.
fn written(model: &dyn Model, name: &str, fold_batch_norm: bool) -> Result<File, ExportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let saved = write(model, name, &path, fold_batch_norm);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), usize::from(saved.is_ok()));
    saved.map(|()| File::read(&std::fs::read(path).unwrap()))
}
