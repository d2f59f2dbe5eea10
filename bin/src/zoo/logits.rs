//! `zoo logits`.

use std::collections::BTreeMap;

use pvlu_zoo::weights::{Declared, Dtype, TensorFile, WeightsError, Writer};

use super::args::LogitsArgs;
use crate::error::CliError;
use crate::interrupt;

/// Elements of images that are run at once.
const AT_ONCE: usize = 1 << 22;

/// Reads the inputs, runs the model and writes the logits.
pub fn run(args: &LogitsArgs) -> Result<(), CliError> {
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
    let opened = args.model.open(Some((height, width)), None)?;
    let elements = entry.shape.iter().product();
    let mut values = vec![0.0_f32; elements];
    file.read_into("input", &mut values)?;

    let model = opened.model;
    let classes = model.classes();
    let mut logits = Vec::with_capacity(images * classes);
    let image = 3 * height * width;
    // The registry builds no model for images without pixels.
    for batch in values.chunks(AT_ONCE.checked_div(image).unwrap_or(1).max(1) * image.max(1)) {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let failed = |source| CliError::Model { model: opened.entry.name, source };
        logits.extend(model.logits(batch.to_vec()).map_err(failed)?);
    }
    let declared = Declared { name: "logits".to_owned(), dtype: Dtype::F32, shape: vec![images, classes] };
    let mut writer = Writer::create(&args.output, vec![declared], &BTreeMap::new())?;
    writer.write("logits", &logits)?;
    Ok(writer.finish()?)
}
