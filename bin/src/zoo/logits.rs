//! `zoo logits`: the logits of a tensor of inputs.

use std::collections::BTreeMap;
use std::path::Path;

use pvlu_zoo::inference::Inference;
use pvlu_zoo::model::check_finite;
use pvlu_zoo::weights::{Declared, Dtype, TensorFile, WeightsError, Writer};

use super::args::LogitsArgs;
use super::keep::keep;
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::named::environment;
use crate::common::precision::chosen;

/// The most elements in a batch of images, which makes 27 RGB images of 224x224.
const AT_ONCE: usize = 1 << 22;

/// Reads the inputs, runs the model and writes the logits.
pub fn run(args: &LogitsArgs) -> Result<(), CliError> {
    let model = args.model.located(&environment)?;
    let read = [vec![args.input.clone()], model.files()].concat();
    let target = Target::new(&args.out, &read, args.force)?;
    let file = TensorFile::open(&args.input)?;
    let wrong = |found: String| WeightsError::Tensor {
        path: args.input.clone(),
        key: "input".to_owned(),
        expected: "a tensor of [N, 3, height, width]".to_owned(),
        found,
    };
    let entry = file.entries().get("input").ok_or_else(|| wrong("none".to_owned()))?;
    let [images, 3, height, width] = entry.shape[..] else {
        return Err(wrong(format!("{:?}", entry.shape)).into());
    };
    // Opening the model limits the sides and refuses images without pixels, so that the buffers below are in proportion
    // to the size of the file.
    let opened = model.open(Some((height, width)), None)?;
    let model = opened.model;
    let (image, classes) = (model.image_len(), model.classes());
    let mut values = vec![0.0_f32; images * image];
    file.read_into("input", &mut values)?;

    let failed = |source| CliError::Model { model: opened.entry.name, source };
    let inference = Inference::of(model.as_ref()).map_err(failed)?;
    let mut logits = Vec::with_capacity(images * classes);
    for batch in values.chunks((AT_ONCE / image).max(1) * image) {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let batch = inference.logits(batch.to_vec()).map_err(failed)?;
        let input = || args.input.display().to_string();
        let finite = check_finite(&batch, classes, logits.len() / classes);
        finite.map_err(|source| CliError::Logits { input: input(), source })?;
        logits.extend(batch);
    }
    let write = |path: &Path| {
        let declared = Declared { name: "logits".to_owned(), dtype: Dtype::F32, shape: vec![images, classes] };
        // Of f32 the file says nothing, as before there were others.
        let precision = chosen().is_reduced().then(|| ("pvlu_zoo.precision".to_owned(), chosen().name().to_owned()));
        let mut writer = Writer::create(path, vec![declared], &BTreeMap::from_iter(precision))?;
        writer.write("logits", &logits)?;
        Ok(writer)
    };
    target.write(write).map_err(|error| keep(error, "the tensor of logits", &target, &write))
}
