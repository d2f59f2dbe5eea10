//! `zoo finetune`: tuning a pretrained model to a data set.

use std::path::Path;

use pvlu::activation::{Activation, Definition, Relu};
use pvlu_zoo::checkpoint::{CheckpointError, Notes, Opened, describe, write_model};
use pvlu_zoo::model::{Model, SwapError};
use pvlu_zoo::registry;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::transfer::{FreezeError, FreezePolicy};
use pvlu_zoo::weights::{Source, TensorFile};
use serde_json::json;

use super::args::FinetuneArgs;
use super::best::Reached;
use super::classes::Order;
use super::course::{Course, Texts};
use super::data::Data;
use super::keep::keep;
use super::prepare::ModelFile;
use super::settings::Settings;
use super::targets::Target;
use super::trained_on::TrainedOn;
use super::tune::{Session, Tuned};
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::memory::check_batch;
use crate::common::named::environment;
use crate::common::output::{print, print_json};
use crate::common::precision::told;
use crate::common::progress::Progress;

/// Tunes a model: first a new head if asked for, then, after swapping the activation, the parts that the user chose.
pub fn run(args: &FinetuneArgs) -> Result<(), CliError> {
    let (settings, data) = (Settings::of(args)?, Data::of(&args.data)?);
    let file = args.model.prepared(&environment)?;
    let (weights, read) = (&file.path, file.files());
    let target = args.out.as_deref().map(|out| Target::new(out, &read, args.force)).transpose()?;
    let set = data.open_to_tune()?;
    target.as_ref().map_or(Ok(()), |target| target.refuse(set.files()))?;
    let pretrained = Pretrained { file: &file, data: &data, settings };
    let mut opened = pretrained.open(&set.classes)?;
    let name = opened.entry.name;
    check_train(&settings, weights, &mut opened)?;
    let order = Order::of((&data.path, &set.classes), &opened, weights, true)?;
    let preprocessing = data.preprocessing(&opened, weights)?;
    let progress = Progress::new(args.quiet);
    set.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
    order.warning.iter().chain(&data.choice(&opened, weights)).for_each(|line| progress.note(line));
    progress.note(&format!("{name}: {}", opened.report));

    let part = |images: Images, limit: Option<std::num::NonZeroUsize>| {
        Ok::<_, CliError>(order.labeled(images)?.limit(limit.map_or(usize::MAX, usize::from)))
    };
    let (train, test) = (part(set.train, args.limit_train)?, part(set.test, args.limit_test)?);
    for (images, part) in [(&train, "to train on"), (&test, "to measure with")] {
        if images.is_empty() {
            let data = data.dataset.name();
            return Err(CliError::TooFewImages { data, part, train: train.len(), test: test.len() });
        }
    }
    // The model is frozen as in the second phase here. Training the head before it keeps less in memory.
    let at_once = |images: &Images| images.len().min(settings.batch_size);
    let model = opened.model.as_ref();
    check_batch(model, at_once(&train).max(at_once(&test)), false, "--batch-size")?;
    check_batch(model, at_once(&train), !settings.trains_nothing, "--batch-size")?;
    let mut trained_on = TrainedOn::of_text(opened.description.trained_on.as_deref(), weights)?;
    trained_on.warnings(&test, weights).iter().for_each(|warning| progress.note(warning));
    if settings.head_epochs > 0 || !settings.trains_nothing {
        trained_on = trained_on.and(set.origin, &train);
    }
    let trained_on = (!trained_on.is_empty()).then(|| trained_on.to_text());
    let course = Course::new(&settings, &opened.description, opened.model.as_ref(), [train.len(), test.len()]);
    let mut session = Session { settings, name, train, test, preprocessing, progress, course };
    let (entry, preprocessing, names) = (opened.entry, session.preprocessing.to_string(), &order.names[..]);
    let said = opened.description;
    let write = |model: &dyn Model, path: &Path, texts: Option<Texts>| {
        let (preprocessing, labels) = (Some(preprocessing.as_str()), Some(names));
        // Where nothing was trained, the record of an earlier tuning still holds.
        let (tuning, frozen) = match &texts {
            Some(Texts { tuning, frozen }) => (Some(tuning.as_str()), Some(frozen.as_str())),
            // Of a network with another activation nothing is on record.
            None if model.activation() != said.activation.as_deref() => (None, None),
            None => (said.tuning.as_deref(), said.frozen.as_deref()),
        };
        let notes = Notes { preprocessing, labels, trained_on: trained_on.as_deref(), tuning, frozen };
        Ok(write_model(model, entry, path, Source::Native, &notes)?)
    };
    // The network that training reached is kept, even if a later step fails.
    let texts = |session: &Session, model: &dyn Model, reached: Option<&Reached>| {
        session.course.texts(model, reached).map_err(|source| CliError::Model { model: name, source })
    };
    let keep = |error, session: &Session, model: &dyn Model, reached: Option<Reached>| match (reached, &target) {
        (Some(reached), Some(target)) => keep(error, reached.what.as_str(), target, &|path| {
            write(model, path, texts(session, model, Some(&reached))?)
        }),
        _ => error,
    };
    let (mut model, mut reached) = (opened.model, None);
    if settings.head_epochs > 0
        && let Err(error) =
            session.tune(model.as_mut(), ("head", FreezePolicy::HEAD, settings.head_epochs), &mut reached)
    {
        return Err(keep(error, &session, model.as_ref(), reached));
    }
    let from = model.activation();
    if let Some(activation) = settings.activation.filter(|to| Some(to.text()) != from) {
        let again = || Ok(pretrained.open(&set.classes)?.model);
        model = match swapped(model, activation, reached.is_some(), again) {
            Ok(model) => model,
            Err(failed) => {
                let FailedSwap { error, model } = *failed;
                return Err(match model {
                    Some(model) => keep(error, &session, model.as_ref(), reached),
                    None => error,
                });
            }
        };
        if let Some(reached) = &mut reached {
            reached.with_other_activation();
        }
    }
    let Tuned { before, after, trained, updated } = match session.tune_measured(model.as_mut(), &mut reached) {
        Ok(tuned) => tuned,
        Err(error) => return Err(keep(error, &session, model.as_ref(), reached)),
    };
    session.progress.finish();
    if let Some(target) = &target {
        let texts = texts(&session, model.as_ref(), reached.as_ref())?;
        let written = target.write(|path| write(model.as_ref(), path, texts));
        written.map_err(|error| keep(error, &session, model.as_ref(), reached))?;
    }
    let activation = model.activation();
    if args.json {
        return print_json(&told(json!({
            "model": name, "activation": activation, "trained_elements": trained, "updated_elements": updated,
            "epochs": settings.epochs, "head_epochs": settings.head_epochs,
            "train_images": session.train.len(), "test_images": session.test.len(),
            "top1_before": before, "top1": after, "seed": settings.seed,
        })));
    }
    print(&format!(
        "{name} {}: top1 {before:.4} before, {after:.4} after {} epochs that trained {trained} elements and updated \
         {updated}",
        activation.unwrap_or("without activation"),
        settings.epochs
    ))
}

/// A pretrained model before it is tuned.
struct Pretrained<'a> {
    file: &'a ModelFile,
    data: &'a Data,
    settings: Settings,
}

impl Pretrained<'_> {
    /// Opens the model with a head for the classes of a set, drawn anew only if it will be trained.
    fn open(&self, of_set: &[String]) -> Result<Opened, CliError> {
        let ModelFile { path, classes, .. } = self.file;
        // A file whose class names include those of the set keeps its head. Else a head that is trained has an output
        // for each class.
        let knows = |labels: Option<Vec<String>>| {
            labels.is_some_and(|labels| of_set.iter().all(|class| labels.contains(class)))
        };
        let seed = self.settings.fresh_head();
        let own = classes.is_none() && (seed.is_none() || knows(describe(&TensorFile::open(path)?)?.labels));
        let classes = if own { None } else { Some(classes.unwrap_or(of_set.len())) };
        // The head is trained under the activation of the file; the other one is swapped in afterwards.
        let pretrained = ModelFile { activation: None, classes, ..self.file.clone() };
        let image = self.data.image_to_tune();
        let anew = ModelFile { classes: Some(of_set.len()), ..pretrained.clone() };
        let opened = match pretrained.open(image, seed) {
            Ok(opened) if own && seed.is_none() && !self.is_of_set(&opened, of_set) => anew.open(image, None),
            opened => opened,
        };
        match opened {
            Err(CliError::Checkpoint(source))
                if seed.is_none() && anew.open(image, Some(self.settings.seed)).is_ok() =>
            {
                Err(CliError::Head { source })
            }
            opened => opened,
        }
    }

    /// True if an untrained head fits the set: if its outputs have the names of the classes, or if it has at least as
    /// many outputs as there are classes, and less than ten times as many. The outputs of a wider one were made for
    /// something else.
    fn is_of_set(&self, opened: &Opened, of_set: &[String]) -> bool {
        let order = || Order::of((&self.data.path, of_set), opened, &self.file.path, true);
        (of_set.len()..10 * of_set.len()).contains(&opened.model.classes()) || order().is_ok_and(|order| order.by_name)
    }
}

/// The reason why an activation could not be swapped, and the model as it was before, if it could be recovered.
struct FailedSwap {
    error: CliError,
    model: Option<Box<dyn Model>>,
}

/// Swaps the activation of a model. A failed swap leaves no model, so that the one that `again` opens then gets the
/// values to which this one was trained, if it was.
fn swapped(
    model: Box<dyn Model>,
    activation: &'static Definition,
    is_trained: bool,
    again: impl FnOnce() -> Result<Box<dyn Model>, CliError>,
) -> Result<Box<dyn Model>, Box<FailedSwap>> {
    let failed = |error: SwapError, model| Box::new(FailedSwap { error: error.into(), model });
    let trained = match is_trained.then(|| Snapshot::of_moving(model.as_ref())).transpose() {
        Ok(trained) => trained,
        Err(error) => return Err(failed(error.into(), Some(model))),
    };
    model.swap_activation(activation).map_err(|error| {
        let put_back = |trained: Snapshot| {
            let mut model = again().ok()?;
            trained.put_back(model.as_mut()).ok().map(|()| model)
        };
        failed(error, trained.and_then(put_back))
    })
}

/// Makes sure, before any work is done, that the activation can be swapped in and that there is something to train,
/// unless the user asked to train nothing; and freezes the model as it will be trained.
fn check_train(settings: &Settings, weights: &Path, opened: &mut Opened) -> Result<(), CliError> {
    let (model, from) = (opened.entry.name, opened.model.activation().unwrap_or(Relu::NAME));
    let activation = settings.activation.map_or_else(|| registry::activation(from), Ok)?;
    let policy = settings.policy;
    let name = activation.text();
    if name != from && from != Relu::NAME {
        let (path, found, wanted) = (weights.to_owned(), from.to_owned(), name.to_owned());
        return Err(CheckpointError::NotRelu { path, found, wanted }.into());
    }
    if settings.trains_nothing {
        return Ok(());
    }
    match policy.try_apply(opened.model.net_mut()) {
        // The activation that is swapped in later has the parameters to train.
        Err(FreezeError::Nothing { .. })
            if policy.activations && activation.params().iter().any(|param| param.trained) =>
        {
            Ok(FreezePolicy::NONE.try_apply(opened.model.net_mut())?)
        }
        Err(FreezeError::Nothing { .. }) => Err(CliError::Usage(format!(
            "--train: {model} with {name} has nothing of what is to be trained: name more (--train head,batch-norm), \
             or another activation (--activation pvlu), or none to measure only"
        ))),
        applied => Ok(applied?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pvlu_zoo::checkpoint::save_model;
    use pvlu_zoo::registry::{build, find};
    use pvlu_zoo::transfer;

    use super::super::Zoo;
    use super::super::args::Command;
    use super::*;

    #[test]
    fn a_failed_swap_leaves_what_was_trained() {
        let with_seed = |seed| build("cifar_resnet20", "prelu", 10, seed).unwrap();
        let (mut trained, mut opened) = (with_seed(1), with_seed(2));
        for model in [&mut trained, &mut opened] {
            FreezePolicy::HEAD.apply(model.net_mut());
        }
        let head = Snapshot::of_moving(trained.as_ref()).unwrap();
        assert_ne!(Snapshot::of_moving(opened.as_ref()).unwrap(), head);
        // No activation but ReLU can be swapped.
        let pvlu = registry::activation("pvlu").unwrap();
        let FailedSwap { error, model: kept } = *swapped(trained, pvlu, true, || Ok(opened)).err().unwrap();
        assert!(matches!(error, CliError::Swap(_)), "{error}");
        assert_eq!(Snapshot::of_moving(kept.unwrap().as_ref()).unwrap(), head);
        let untrained = swapped(with_seed(1), pvlu, false, || panic!("opened for nothing"));
        assert!(untrained.err().unwrap().model.is_none());
    }

    /// The parameters that `--train activations` trains are not in a file with ReLU before the swap.
    #[test]
    fn a_batch_is_sized_for_what_will_be_trained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let model = build("cifar_resnet20", "relu", 10, 1).unwrap();
        save_model(model.as_ref(), find("cifar_resnet20").unwrap(), &path, Source::Native, &Notes::default()).unwrap();
        for (train, trained) in [("activations", 0), ("head", 130)] {
            let arguments = format!("--activation pvlu --dataset folder --data x --train {train}");
            let weights = format!("finetune --weights {}", path.display());
            let all = std::iter::once("zoo").chain(weights.split(' ')).chain(arguments.split(' '));
            let Command::Finetune(args) = Zoo::parse_from(all).command else { panic!("another command") };
            let (settings, data) = (Settings::of(&args).unwrap(), Data::of(&args.data).unwrap());
            let file = args.model.prepared(&environment).unwrap();
            let pretrained = Pretrained { file: &file, data: &data, settings };
            let mut opened = pretrained.open(&["a".to_owned(), "b".to_owned()]).unwrap();
            check_train(&settings, &path, &mut opened).unwrap();
            assert_eq!(transfer::trained(&transfer::groups(opened.model.net()).unwrap()), trained, "{train}");
        }
    }
}
