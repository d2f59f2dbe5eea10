//! The pretrained model of a tuning: opened, checked, and given another activation.

use std::path::Path;

use pvlu::activation::{Activation, Definition, Relu};
use pvlu_zoo::checkpoint::{CheckpointError, Opened, describe};
use pvlu_zoo::model::{Model, SwapError};
use pvlu_zoo::registry;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::transfer::{FreezeError, FreezePolicy};
use pvlu_zoo::weights::TensorFile;

use crate::common::error::CliError;
use crate::zoo::classes::Order;
use crate::zoo::data::Data;
use crate::zoo::prepare::ModelFile;
use crate::zoo::settings::Settings;

/// A pretrained model before it is tuned.
pub struct Pretrained<'a> {
    pub file: &'a ModelFile,
    pub data: &'a Data,
    pub settings: &'a Settings,
}

impl Pretrained<'_> {
    /// Opens the model with a head for the classes of a set, drawn anew only if it will be trained.
    pub fn open(&self, of_set: &[String]) -> Result<Opened, CliError> {
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
pub struct FailedSwap {
    pub error: CliError,
    pub model: Option<Box<dyn Model>>,
}

/// Swaps the activation of a model. A failed swap leaves no model, so that the one that `again` opens then gets the
/// values to which this one was trained, if it was.
pub fn swapped(
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
pub fn check_train(settings: &Settings, weights: &Path, opened: &mut Opened) -> Result<(), CliError> {
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
    use pvlu_zoo::checkpoint::{Notes, save_model};
    use pvlu_zoo::registry::{build, find};
    use pvlu_zoo::transfer;
    use pvlu_zoo::weights::Source;

    use super::*;
    use crate::common::named::environment;
    use crate::zoo::Zoo;
    use crate::zoo::args::Command;

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
            let pretrained = Pretrained { file: &file, data: &data, settings: &settings };
            let mut opened = pretrained.open(&["a".to_owned(), "b".to_owned()]).unwrap();
            check_train(&settings, &path, &mut opened).unwrap();
            assert_eq!(transfer::trained(&transfer::groups(opened.model.net()).unwrap()), trained, "{train}");
        }
    }
}
