//! The description of a file of weights.

use std::path::Path;
use std::str::FromStr;

use pvlu_zoo::checkpoint::{self, CheckpointError, Opened, Tuning, TuningError, Wanted};
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::text::{self, shown};
use pvlu_zoo::weights::{TensorFile, WeightsError};
use pvlu_zoo::{registry, transfer};
use serde_json::{Value, json};

use super::args::InfoArgs;
use super::learned::Learned;
use super::said::{Read, Said, heading};
use crate::common::error::CliError;
use crate::common::figure::scene::Scene;
use crate::common::figure::{raster, svg};
use crate::common::output::{note, print, print_json};
use crate::common::preprocessing::{choice, preprocessing};
use crate::zoo::classes;
use crate::zoo::recipe::{Recipe, files_of};
use crate::zoo::targets::{Target, write_all};
use crate::zoo::trained_on::TrainedOn;

/// Tensors of an unknown model that are shown at most.
const TENSORS: usize = 10;

/// Describes a file. One whose model is not known is described as far as that is possible.
pub fn info(args: &InfoArgs, path: &Path) -> Result<(), CliError> {
    let of_model = [
        ("--activation", args.activation.is_some()),
        ("--classes", args.classes.is_some()),
        ("--image", args.image.is_some()),
    ];
    if let Some((option, _)) = of_model.iter().find(|(_, given)| *given) {
        let path = text::path(path);
        return Err(CliError::Usage(format!(
            "{option} is for a model without weights; {path} is a file, which says its own"
        )));
    }
    args.model.as_deref().map(registry::find).transpose()?;
    let file = TensorFile::open(path)?;
    let outputs = Outputs::of(args, &file)?;
    let recipe = Recipe::find(None, path, args.model.as_deref())?;
    let mut opened = match open(path, args.model.as_deref()) {
        Ok(opened) => opened,
        Err(error) if args.model.is_none() && outputs.is_empty() && !is_damage(&error) => {
            let error = error.to_string();
            // The heading has the path.
            let reason = error.strip_prefix(&format!("{}: ", text::path(path))).unwrap_or(&error);
            return if args.json {
                print_json(&json_of(path, &file, reason))
            } else {
                print(&text_of(path, &file, reason))
            };
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(recipe) = &recipe {
        recipe.settle(&mut opened);
    }
    let said = described(path, &file, &opened, recipe.and_then(|recipe| recipe.place))?;
    outputs.write(&said)?;
    choice(&opened, LabelSet::usual(opened.model.classes()), path).iter().for_each(|line| note(line));
    if args.json { print_json(&said.json()) } else { print(&said.text()) }
}

/// Everything that is known of a file and its model. A record in the file that is not readable is no error.
fn described<'a>(
    path: &'a Path,
    file: &'a TensorFile,
    opened: &'a Opened,
    published: Option<&'static str>,
) -> Result<Said<'a>, CliError> {
    let failed = |source| CliError::Model { model: opened.entry.name, source };
    let description = &opened.description;
    let tuning = record::<Tuning>(description.tuning.as_deref());
    let start = start(opened, tuning.as_ref().ok().and_then(Option::as_ref));
    let preprocessing = preprocessing(opened, LabelSet::usual(opened.model.classes()), path);
    Ok(Said {
        path,
        file,
        opened,
        published,
        preprocessing: preprocessing.map(|preprocessing| preprocessing.to_string()).map_err(|error| error.to_string()),
        labels: classes::names(opened, path).map_err(|error| error.to_string()),
        trained_on: TrainedOn::of_text(description.trained_on.as_deref(), path)
            .map(|trained_on| trained_on.sets())
            .map_err(|error| error.to_string()),
        tuning,
        frozen: record(description.frozen.as_deref()),
        groups: transfer::groups(opened.model.net()).map_err(failed)?,
        learned: Learned::of(opened.model.as_ref(), start).map_err(failed)?,
    })
}

/// A record of a tuning in the metadata, if there is one.
fn record<T: FromStr<Err = TuningError>>(text: Option<&str>) -> Read<Option<T>> {
    text.map(str::parse).transpose().map_err(|error: TuningError| error.to_string())
}

/// Opens the model of a file; a head that the file is without is left empty, which the report says.
fn open(path: &Path, model: Option<&str>) -> Result<Opened, CheckpointError> {
    let wanted = Wanted { model, allow_non_finite: true, ..Wanted::default() };
    match checkpoint::open(path, &wanted) {
        Err(error @ CheckpointError::Weights(WeightsError::Mismatch { .. })) => {
            checkpoint::open(path, &Wanted { fresh_head: Some(0), ..wanted }).map_err(|_| error)
        }
        opened => opened,
    }
}

/// True for an error of the file itself, whatever its model is.
fn is_damage(error: &CheckpointError) -> bool {
    use WeightsError::{Format, Io, NotAFile, Range, Structure, Tensor, Url};
    matches!(
        error,
        CheckpointError::Weights(
            Io { .. } | Url { .. } | NotAFile { .. } | Format { .. } | Structure { .. } | Tensor { .. } | Range { .. }
        )
    )
}

/// The values from which the parameters started, where the last tuning swapped the activation in: those of a swap.
/// Without a swap they are not known.
fn start(opened: &Opened, tuning: Option<&Tuning>) -> impl Fn(&str) -> Option<f64> + use<> {
    let now = opened.model.activation();
    let before = tuning.and_then(|tuning| tuning.activation_before.as_deref());
    let swapped = now.filter(|now| before.is_some_and(|before| before != *now));
    let definition = swapped.and_then(|name| registry::activation(name).ok());
    move |name: &str| definition?.params().iter().find(|param| param.name == name).map(|param| param.swapped)
}

/// The description of a file whose model is not known.
fn text_of(path: &Path, file: &TensorFile, reason: &str) -> String {
    let mut lines = vec![heading(path, file)];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<18}{value}"));
    line("model", format!("not known: {}", text::message(reason)));
    let entries = file.entries();
    for (at, (name, entry)) in entries.iter().take(TENSORS).enumerate() {
        let label = if at == 0 { "first tensors" } else { "" };
        line(label, format!("{} {} {:?}", shown(name), shown(&entry.dtype.to_string()), entry.shape));
    }
    if let Some(more) = entries.len().checked_sub(TENSORS).filter(|more| *more > 0) {
        line("", format!("and {more} more"));
    }
    for (at, (key, value)) in file.metadata().iter().take(TENSORS).enumerate() {
        line(if at == 0 { "metadata" } else { "" }, format!("{}: {}", shown(key), shown(value)));
    }
    line(
        "next",
        format!("zoo info {} --model NAME says how it differs from a model; zoo list has the names", text::path(path)),
    );
    lines.join("\n")
}

fn json_of(path: &Path, file: &TensorFile, reason: &str) -> Value {
    let tensors = file
        .entries()
        .iter()
        .take(TENSORS)
        .map(|(name, entry)| json!({ "name": name, "type": entry.dtype.to_string(), "shape": entry.shape }));
    json!({
        "file": path.display().to_string(),
        "container": file.container(),
        "model": null,
        "reason": reason,
        "tensors": file.entries().len(),
        "first_tensors": Value::from_iter(tensors),
    })
}

/// The files that the user asked for.
struct Outputs<'a> {
    csv: Option<Target<'a>>,
    plot: Option<(Target<'a>, Plot)>,
}

/// Format of a figure.
#[derive(Clone, Copy)]
enum Plot {
    Svg,
    Png,
}

impl<'a> Outputs<'a> {
    /// Makes sure that the files can be written and are none of those that are read.
    fn of(args: &'a InfoArgs, file: &TensorFile) -> Result<Self, CliError> {
        let read = files_of(file);
        let csv = args.csv.as_deref().map(|csv| Target::new(csv, &read, args.force)).transpose()?;
        let plot = args.plot.as_deref().map(|plot| {
            let format = match plot.extension().and_then(|extension| extension.to_str()) {
                Some("svg") => Plot::Svg,
                Some("png") => Plot::Png,
                _ => {
                    let path = text::path(plot);
                    return Err(CliError::Usage(format!("--plot {path}: expected a name that ends in .svg or .png")));
                }
            };
            Ok((Target::new(plot, &read, args.force)?, format))
        });
        let plot = plot.transpose()?;
        if let (Some(csv), Some((plot, _))) = (&csv, &plot)
            && csv.path() == plot.path()
        {
            return Err(CliError::Usage(format!("--csv and --plot: {} is one file", text::path(plot.path()))));
        }
        Ok(Self { csv, plot })
    }

    fn is_empty(&self) -> bool {
        self.csv.is_none() && self.plot.is_none()
    }

    fn write(&self, said: &Said<'_>) -> Result<(), CliError> {
        if self.is_empty() {
            return Ok(());
        }
        if said.learned.is_empty() {
            let (path, activation) =
                (text::path(said.path), said.opened.model.activation().unwrap_or("its activation"));
            let why = format!(
                "{path}: {activation} has no trained parameters, so that --csv and --plot have nothing to show"
            );
            return Err(CliError::Usage(why));
        }
        let mut files = Vec::new();
        if let Some(csv) = &self.csv {
            files.push((csv, said.learned.csv(csv.path())?));
        }
        if let Some((plot, format)) = &self.plot {
            let scene = said.learned.scene(&format!("{} in {}", said.opened.entry.name, said.path.display()));
            files.push((plot, format.drawn(&scene, plot.path())?));
        }
        write_all(&files)
    }
}

impl Plot {
    /// The contents of a figure's file.
    fn drawn(self, scene: &Scene, path: &Path) -> Result<Vec<u8>, CliError> {
        match self {
            Self::Svg => Ok(svg::svg(scene, "learned").into_bytes()),
            Self::Png => raster::png(scene).ok_or_else(|| {
                let (path, height, most) = (text::path(path), scene.height, raster::HIGHEST);
                CliError::Usage(format!(
                    "--plot {path}: the figure has {height} pixels from top to bottom, a PNG image at most {most}: \
                     name a .svg file"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_no_image_holds_is_an_error_that_names_it() {
        let mut scene = Scene::titled("A figure", "of nothing").finish("");
        assert!(Plot::Png.drawn(&scene, Path::new("a.png")).unwrap().starts_with(b"\x89PNG"));
        for height in [raster::HIGHEST + 1.0, 1e12] {
            scene.height = height;
            let error = Plot::Png.drawn(&scene, Path::new("a.png")).unwrap_err().to_string();
            assert!(
                error.starts_with("--plot a.png: the figure has ") && error.ends_with("name a .svg file"),
                "{error}"
            );
            assert!(!Plot::Svg.drawn(&scene, Path::new("a.svg")).unwrap().is_empty());
        }
    }
}
