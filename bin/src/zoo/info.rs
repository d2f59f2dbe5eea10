//! `zoo list` and `zoo info`: the models, and a description of one, or of a file of weights.

mod args;
mod columns;
mod file;
mod learned;
mod said;
mod tuning;

use std::fs;

use pvlu::activation::{Activation, Relu};
use pvlu::layer::{Extent, LayerKind, ParamKind, Part, Path};
use pvlu_zoo::cards::{Card, Paper};
use pvlu_zoo::image::MAX_INPUT;
use pvlu_zoo::registry::{self, ModelEntry, Options, Sides, Start, models};
use serde_json::{Value, json};

pub use self::args::{EXAMPLES, InfoArgs};
use self::columns::columns;
use crate::common::error::CliError;
use crate::common::output::{print, print_json};

/// Ends of the names of files of weights.
const EXTENSIONS: [&str; 11] = ["safetensors", "pth", "pt", "th", "ckpt", "bin", "tar", "keras", "h5", "hdf5", "json"];

/// Describes a model or a file. A word that is the name of a model is that. Other words are files if there is one, or
/// if they look like the path of one.
pub fn info(args: &InfoArgs) -> Result<(), CliError> {
    let subject = args.subject.as_path();
    let entry = subject.to_str().map(registry::find);
    if let Some(Ok(entry)) = entry {
        return model(args, entry);
    }
    let extension = subject.extension().and_then(|extension| extension.to_str());
    let is_path = fs::symlink_metadata(subject).is_ok()
        || subject.components().count() > 1
        || extension.is_some_and(|extension| EXTENSIONS.contains(&extension));
    match entry {
        Some(Err(unknown)) if !is_path => Err(unknown.into()),
        _ => file::info(args, subject),
    }
}

/// Prints a row for each model: name, sizes of images, description. All but the last have no spaces, so that programs
/// can read them. The lines below the table list the activations and the range of classes.
pub fn list(as_json: bool) -> Result<(), CliError> {
    if as_json {
        let rows: Vec<Value> = models()
            .iter()
            .map(|entry| {
                json!({
                    "model": entry.name,
                    "about": entry.card().map(|card| card.about),
                    "classes": [registry::CLASSES.start(), registry::CLASSES.end()],
                    "images": entry.sides().to_string(),
                })
            })
            .collect();
        return print_json(&Value::Array(rows));
    }
    let images = |entry: &ModelEntry| match entry.sides() {
        Sides::Any { least, .. } => format!("{least}x{least}..{MAX_INPUT}x{MAX_INPUT}"),
        Sides::Square(sides) => sides.iter().map(|side| format!("{side}x{side}")).collect::<Vec<_>>().join(","),
    };
    let about = |entry: &ModelEntry| entry.card().map_or("", |card| card.about).to_owned();
    let mut rows = vec![["MODEL", "IMAGES", "ABOUT"].map(str::to_owned)];
    rows.extend(models().iter().map(|entry| [entry.name.to_owned(), images(entry), about(entry)]));
    let mut text = columns(&rows);
    text.push_str(&format!("\n\nactivations: {}", registry::activation_names().join(",")));
    text.push_str(&format!("\nclasses: {}..{}", registry::CLASSES.start(), registry::CLASSES.end()));
    print(&text)
}

/// Counts and sizes of a model, found without running it.
struct Facts {
    parameters: usize,
    statistics: usize,
    hyperparameters: usize,
    sites: usize,
    site_channels: usize,
    stages: Vec<(String, Extent)>,
    multiply_adds: u64,
    /// Number of elements in the outputs of all layers, which a training step keeps.
    outputs: usize,
    /// Largest number of elements in the input and output of one layer, which inference needs at once.
    widest: usize,
}

/// Builds a model without weights, and prints its description.
fn model(args: &InfoArgs, entry: &'static ModelEntry) -> Result<(), CliError> {
    let of_file = [("--model", args.model.is_some()), ("--csv", args.csv.is_some()), ("--plot", args.plot.is_some())];
    if let Some((option, _)) = of_file.iter().find(|(_, given)| *given) {
        let name = entry.name;
        return Err(CliError::Usage(format!("{option} is for a file of weights; {name} is a model (./{name} a file)")));
    }
    let activation = args.activation.as_deref().unwrap_or(Relu::NAME);
    let (height, width) = args.image.map_or(entry.image(), |side| (side, side));
    let classes = args.classes.unwrap_or(entry.classes());
    let options = Options { activation, classes, image: Some((height, width)), weights: Start::Unfilled };
    let model = entry.build(&options)?;
    let failed = |source| CliError::Model { model: entry.name, source };
    let mut facts = Facts {
        parameters: 0,
        statistics: 0,
        hyperparameters: 0,
        sites: 0,
        site_channels: 0,
        stages: Vec::new(),
        multiply_adds: 0,
        outputs: 0,
        widest: 0,
    };
    let mut count = |tensor: pvlu_zoo::model::TensorView<'_>| {
        let elements = match tensor.slot.kind {
            ParamKind::RunningMean | ParamKind::RunningVariance => &mut facts.statistics,
            ParamKind::Hyperparameter => &mut facts.hyperparameters,
            _ => &mut facts.parameters,
        };
        *elements += tensor.values.len();
    };
    model.tensors(&mut count).map_err(failed)?;
    let mut show = |layer: pvlu::layer::LayerSummary<'_>| {
        if matches!(layer.kind, LayerKind::Activation { .. }) {
            facts.sites += 1;
            facts.site_channels += layer.output.channels();
        }
        facts.multiply_adds += layer.multiply_adds();
        facts.outputs += layer.output.elements();
        facts.widest = facts.widest.max(layer.input.elements() + layer.output.elements());
        // Each child of the trunk is a stage, and the whole head is one.
        let depth = if Part::of(layer.path) == Some(Part::Trunk) { 2 } else { 1 };
        let stage = layer.path.split('.').take(depth).collect::<Vec<_>>().join(".");
        match facts.stages.last_mut() {
            Some((last, output)) if *last == stage => *output = layer.output,
            _ => facts.stages.push((stage, layer.output)),
        }
    };
    let input = Extent::image(3, height, width);
    model.net().summarize(&mut Path::root(), input, &mut show).map_err(failed)?;
    let card = entry.card();
    let title = (entry.name, model.activation().unwrap_or(activation), classes, input);
    if args.json { print_json(&as_json(title, &facts, card)) } else { print(&as_text(title, &facts, card)) }
}

type Title<'a> = (&'a str, &'a str, usize, Extent);

fn stage_name(path: &str) -> String {
    path.replace('.', " ")
}

fn as_json((model, activation, classes, input): Title<'_>, facts: &Facts, card: Option<&Card>) -> Value {
    let stages: Vec<Value> = facts
        .stages
        .iter()
        .map(|(path, output)| json!({ "stage": stage_name(path), "output": output.to_string() }))
        .collect();
    let weights: Vec<Value> = card
        .map_or(&[][..], |card| card.weights)
        .iter()
        .map(|weights| {
            json!({
                "from": weights.source.title(),
                "file": weights.file(),
                "url": weights.url(),
                "license": weights.license,
                "top1": weights.top1,
                "preprocessing": weights.preprocessing.to_string(),
            })
        })
        .collect();
    json!({
        "model": model,
        "about": card.map(|card| card.about),
        "citation": card.and_then(|card| card.paper).map(citation),
        "activation": activation,
        "classes": classes,
        "input": input.to_string(),
        "parameters": facts.parameters,
        "running_statistics": facts.statistics,
        "hyperparameters": facts.hyperparameters,
        "sites": facts.sites,
        "site_channels": facts.site_channels,
        "stages": stages,
        "multiply_adds": facts.multiply_adds,
        "weights_bytes": bytes(facts.parameters + facts.statistics + facts.hyperparameters),
        "inference_bytes_per_image": bytes(facts.widest),
        "training_bytes_per_image": bytes(facts.outputs),
        "preprocessing": card.map(|card| card.preprocessing.to_string()),
        "weights": weights,
    })
}

fn as_text((model, activation, classes, input): Title<'_>, facts: &Facts, card: Option<&Card>) -> String {
    let mut lines = vec![format!("{model}<{activation}, {classes}> on {input}")];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<20}{value}"));
    if let Some(card) = card {
        line("about", card.about.to_owned());
        card.paper.iter().for_each(|paper| line("citation", citation(*paper)));
    }
    line("parameters", facts.parameters.to_string());
    line("running statistics", facts.statistics.to_string());
    line("activation sites", format!("{} ({} channels)", facts.sites, facts.site_channels));
    line("multiply-adds", format!("{:.2} G an image", facts.multiply_adds as f64 / 1e9));
    let weights = bytes(facts.parameters + facts.statistics + facts.hyperparameters);
    line("memory", format!("{} of weights", megabytes(weights)));
    line("", format!("{} an image in inference, at the widest layer", megabytes(bytes(facts.widest))));
    line("", format!("{} an image in training, all outputs", megabytes(bytes(facts.outputs))));
    for (path, output) in &facts.stages {
        line(&stage_name(path), output.to_string());
    }
    for weights in card.map_or(&[][..], |card| card.weights) {
        line("weights", format!("{}, {}", weights.source.title(), weights.url()));
        line("", format!("file {}, license {}", weights.file(), weights.license.unwrap_or("not stated")));
        line("", weights.preprocessing.to_string());
    }
    lines.join("\n")
}

fn citation(paper: Paper) -> String {
    let arxiv = paper.arxiv.map_or(String::new(), |id| format!(", arXiv:{id}"));
    format!("{}, {:?}, {}{arxiv}", paper.authors, paper.title, paper.year)
}

fn bytes(elements: usize) -> usize {
    elements * size_of::<f32>()
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
