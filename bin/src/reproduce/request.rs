//! The options of a command, checked and turned into the values that they stand for. Nothing behind this module knows
//! the types of the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use pvlu::Precision;
use pvlu::activation::Definition;
use pvlu_zoo::data::Gaussian;
use pvlu_zoo::device::Device;
use pvlu_zoo::registry::{self, RegistryError};
use pvlu_zoo::text::{did_you_mean, quoted};

use crate::common::error::CliError;
use crate::common::precision;
use crate::common::repeated::refuse_repeated;
use crate::common::shards;
use crate::reproduce::args::{AllArgs, CommonArgs, Listed, TableArgs, TableOptions, TuningArgs, all_of};
use crate::reproduce::protocol::arm::Arm;
use crate::reproduce::protocol::definition::{Budget, Protocol};
use crate::reproduce::protocol::limits::is_name;
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::sweep::{Sweep, TRIAL_SEEDS, Tried};
use crate::reproduce::runs::earlier::Earlier;
use crate::reproduce::runs::names::is_reserved;

/// The wishes of a user on the runs of tables; `None` for what a table or a preset decides.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The images, and how much of them is used.
    pub images: ImageRequest,
    /// Seeds, each of which is a run.
    pub seeds: Option<Vec<u64>>,
    /// Passes over the training images; of pretrained networks in each arm.
    pub epochs: Option<u64>,
    /// Images in a training step.
    pub batch_size: Option<usize>,
    /// Adam's learning rate at the start; of pretrained networks in each arm.
    pub learning_rate: Option<f64>,
    /// Pixels of a 32x32 image by which images are shifted at most.
    pub shift: Option<usize>,
    /// Values to be tried with every arm before its runs; without any those of the protocol.
    pub swept: Vec<Tried>,
    /// Seeds of the trials.
    pub sweep_seeds: Option<Vec<u64>>,
    /// Precision of the factors of convolutions and linear layers.
    pub precision: Precision,
    /// Shards that a batch is cut into; `None` for one.
    pub shards: Option<usize>,
    /// Arms of networks that are trained from scratch.
    pub activations: Option<Vec<ArmRequest>>,
    /// Names of pretrained models.
    pub models: Option<Vec<&'static str>>,
    /// Arms of the comparison of pretrained models.
    pub arms: Option<Vec<ArmRequest>>,
    /// True if models and arms are meant of networks from scratch too.
    pub of_any_start: bool,
    /// True if several tables are meant, each of which takes the arms that it has.
    pub of_many: bool,
    /// Folder of pretrained weights, a file of them, or published weights by their name.
    pub weights: Option<PathBuf>,
    /// True if no published weights are fetched.
    pub offline: bool,
    /// Passes over the training images with ReLU, before the arms part.
    pub first_epochs: Option<u64>,
    /// Adam's learning rate at the start of the phase with ReLU.
    pub first_learning_rate: Option<f64>,
    /// Side, in pixels of a 32x32 image, of the square that is cut out; 0 for none.
    pub cutout: Option<usize>,
    /// Standard deviation of the Gaussian filter, in pixels.
    pub filter_sigma: Option<f64>,
    /// Pixels to either side of the middle that the filter reaches.
    pub filter_radius: Option<usize>,
}

/// The wishes of a user on the images of tables.
#[derive(Clone, Debug, Default)]
pub struct ImageRequest {
    /// Path of the images; `None` for the usual places.
    pub data: Option<PathBuf>,
    /// The preset that says how much is done.
    pub preset: Option<Preset>,
    /// Number of first training images that are used.
    pub limit_train: Option<usize>,
    /// Number of first test images that are used.
    pub limit_test: Option<usize>,
    /// Share of the training images of each class that is held out.
    pub held_out: Option<f64>,
}

/// An arm that a user asks for. Tables differ in what a name stands for.
#[derive(Clone, Debug)]
pub struct ArmRequest {
    /// Name of an arm, or text of an activation.
    pub text: String,
    /// The activation of this text, where there is one.
    pub activation: Option<&'static Definition>,
}

/// The way in which a command does the runs of tables.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Addresses of the only runs to be done; `None` for all.
    pub only: Option<Vec<String>>,
    /// The treatment of files that an earlier command left.
    pub earlier: Earlier,
    /// Time between two checkpoints of a run.
    pub checkpoint_every: Duration,
    /// True if the network of each run is saved.
    pub save_weights: bool,
    /// True if runs are listed and not done.
    pub dry_run: bool,
    /// Worker threads; `None` for one on each core.
    pub threads: Option<u16>,
    /// Device to compute on.
    pub device: Device,
    /// Precision of the factors of convolutions and linear layers.
    pub precision: Precision,
    /// Folder for tables, and for runs under way.
    pub out: PathBuf,
    /// True if nothing but errors is shown.
    pub quiet: bool,
}

impl TryFrom<&TableOptions> for Request {
    type Error = CliError;

    fn try_from(options: &TableOptions) -> Result<Self, CliError> {
        match options {
            TableOptions::Scratch(args) => args.try_into(),
            TableOptions::Tuning(args) => args.try_into(),
        }
    }
}

impl TryFrom<&TableArgs> for Request {
    type Error = CliError;

    fn try_from(TableArgs { common, activations }: &TableArgs) -> Result<Self, CliError> {
        let request = Self::of(common)?;
        Ok(Self { activations: of_scratch(activations.as_deref())?, ..request })
    }
}

impl TryFrom<&TuningArgs> for Request {
    type Error = CliError;

    fn try_from(args: &TuningArgs) -> Result<Self, CliError> {
        Self::of_arms(args, &paper::arms())
    }
}

impl TryFrom<&AllArgs> for Request {
    type Error = CliError;

    fn try_from(AllArgs { tuning, activations }: &AllArgs) -> Result<Self, CliError> {
        let activations = of_scratch(activations.as_deref())?;
        Ok(Self { activations, of_many: true, ..tuning.try_into()? })
    }
}

impl Request {
    /// The wishes on a protocol in a file: options that only pretrained networks have are refused where there are none.
    pub fn of_protocol(args: &TuningArgs, table: Table) -> Result<Self, CliError> {
        let protocol = table.protocol();
        if protocol.pretrained().is_none() {
            let given = [
                ("--weights", args.weights.is_some()),
                ("--first-epochs", args.first_epochs.is_some()),
                ("--first-learning-rate", args.first_learning_rate.is_some()),
            ];
            if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
                let name = table.name();
                return Err(CliError::Usage(format!(
                    "{option}: for pretrained networks; those of {name} start from scratch, as its protocol says"
                )));
            }
            let cuts = protocol.augmentation.is_some_and(|kept| kept.cutout.is_some());
            let filters = protocol.filter.is_some();
            let unused = [
                ("--cutout", args.cutout.is_some() && !cuts),
                ("--filter-sigma", args.filter_sigma.is_some() && !filters),
                ("--filter-radius", args.filter_radius.is_some() && !filters),
            ];
            if let Some((option, _)) = unused.iter().find(|(_, unused)| *unused) {
                let name = table.name();
                return Err(CliError::Usage(format!("{option}: {name} has no such value that it could replace")));
            }
        }
        if args.models.is_some() && protocol.pretrained().is_none() && !table.is_own() {
            return Err(CliError::Usage(format!("--models: the network of {} is fixed", table.name())));
        }
        let mut known = paper::arms();
        known.extend(protocol.arms.iter().map(|arm| arm.name.as_str()));
        Ok(Self { of_any_start: true, ..Self::of_arms(args, &known)? })
    }

    /// The wishes on tables of pretrained networks, whose arms may have these names.
    fn of_arms(args: &TuningArgs, known: &[&str]) -> Result<Self, CliError> {
        let request = Self::of(&args.common)?;
        refuse_repeated("--models", args.models.as_deref().unwrap_or_default())?;
        let arms = args.arms.as_deref().map(|lists| arms("--arms", lists, known)).transpose()?;
        Ok(Self {
            models: args.models.as_deref().map(models).transpose()?,
            arms,
            weights: args.weights.clone(),
            offline: args.offline,
            first_epochs: args.first_epochs,
            first_learning_rate: args.first_learning_rate,
            cutout: args.cutout.map(usize::from),
            filter_sigma: args.filter_sigma,
            filter_radius: args.filter_radius.map(usize::from),
            ..request
        })
    }

    /// The networks that were asked for, else those of a budget.
    pub fn networks_of<'a>(&'a self, protocol: &Protocol, budget: &'a Budget) -> &'a [&'static str] {
        let is_meant = protocol.pretrained().is_some() || self.of_any_start;
        self.models.as_ref().filter(|_| is_meant).unwrap_or(&budget.networks)
    }

    /// The arms that were asked for, else those of the protocol: its own ones, and other activations. Arms of other
    /// tables are skipped.
    pub fn arms_of(&self, protocol: &Protocol) -> Result<Vec<Arm>, CliError> {
        let (option, asked, is_strict) = match (protocol.pretrained(), &self.activations) {
            (None, Some(arms)) => ("activations", Some(arms), !self.of_many),
            (None, None) => ("arms", self.arms.as_ref().filter(|_| self.of_any_start), true),
            (Some(_), _) => ("arms", self.arms.as_ref(), self.of_any_start),
        };
        let Some(arms) = asked else { return Ok(protocol.arms.clone()) };
        for formula in arms.iter().filter_map(|arm| arm.activation).filter(|given| given.program().is_some()) {
            let of_name = protocol.arms.iter().find(|own| own.name == formula.name());
            if let Some(own) = of_name.filter(|own| own.activation.text() != formula.text()) {
                let (name, text) = (&protocol.name, own.activation.text());
                return Err(CliError::Usage(format!(
                    "--{option}: {name} has an arm {} that is {}, found {}: choose another name",
                    own.name,
                    quoted(text),
                    quoted(formula.text())
                )));
            }
        }
        let found: Vec<Arm> = arms.iter().filter_map(|arm| protocol.arm(&arm.text, arm.activation)).collect();
        let lacks = |arm: &&ArmRequest| protocol.arm(&arm.text, arm.activation).is_none();
        if found.is_empty() || (is_strict && found.len() < arms.len()) {
            let items: Vec<&str> = arms.iter().filter(lacks).map(|arm| arm.text.as_str()).collect();
            let arms: Vec<&str> = protocol.arms.iter().map(|arm| arm.name.as_str()).collect();
            let (table, items, arms) = (&protocol.name, items.join(", "), arms.join(", "));
            return Err(CliError::Usage(format!(
                "--{option}: {table} has no {items}; it has {arms}, or any activation"
            )));
        }
        Ok(found)
    }

    /// A filter with the values that were asked for.
    pub fn filter_of(&self, kept: Gaussian) -> Gaussian {
        Gaussian { sigma: self.filter_sigma.unwrap_or(kept.sigma), radius: self.filter_radius.unwrap_or(kept.radius) }
    }

    /// The values to be tried and the seeds of the trials: those that were asked for, else those of the protocol.
    pub fn sweep_of(&self, protocol: &Protocol) -> Result<Option<Sweep>, String> {
        let own = protocol.sweep.as_ref();
        let tried = if self.swept.is_empty() { own.map(|of| of.tried.clone()) } else { Some(self.swept.clone()) };
        let Some(tried) = tried else {
            let unused = || "--sweep-seeds: expected with --sweep, or a protocol that has a sweep".to_owned();
            return self.sweep_seeds.as_ref().map_or(Ok(None), |_| Err(unused()));
        };
        let of_own = || own.map(|of| of.seeds.clone());
        let seeds = self.sweep_seeds.clone().or_else(of_own).unwrap_or_else(|| TRIAL_SEEDS.to_vec());
        let sweep = Sweep { seeds, tried };
        sweep.check().map(|()| Some(sweep))
    }

    /// The keys of a protocol whose values an option of this request replaces.
    pub fn replaced(&self) -> Vec<&'static str> {
        let given = [
            ("learning_rate", self.learning_rate.is_some()),
            ("epochs", self.epochs.is_some()),
            ("batch_size", self.batch_size.is_some()),
            ("shift", self.shift.is_some()),
            ("cutout", self.cutout.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    /// The wishes on every table. Seeds that are given twice are refused, and a precision that the device has not.
    fn of(args: &CommonArgs) -> Result<Self, CliError> {
        precision::check(args.precision, args.device)?;
        shards::check(args.shards, args.device)?;
        refuse_repeated("--seeds", args.seeds.as_deref().unwrap_or_default())?;
        refuse_repeated("--sweep-seeds", args.sweep_seeds.as_deref().unwrap_or_default())?;
        Ok(Self {
            images: ImageRequest {
                data: args.data.clone(),
                preset: args.preset,
                limit_train: args.limit_train.map(NonZeroUsize::get),
                limit_test: args.limit_test.map(NonZeroUsize::get),
                held_out: args.held_out,
            },
            seeds: args.seeds.clone(),
            epochs: args.epochs,
            batch_size: args.batch_size.map(NonZeroUsize::get),
            learning_rate: args.learning_rate,
            shift: args.shift.map(usize::from),
            swept: args.sweep.clone(),
            sweep_seeds: args.sweep_seeds.clone(),
            precision: args.precision,
            shards: Some(args.shards).filter(|&shards| shards > 1),
            ..Self::default()
        })
    }
}

impl From<&CommonArgs> for Conduct {
    fn from(args: &CommonArgs) -> Self {
        Self {
            only: args.only.clone(),
            earlier: match (args.fresh, args.resume) {
                (true, _) => Earlier::Aside,
                (false, true) => Earlier::Required,
                (false, false) => Earlier::Used,
            },
            checkpoint_every: Duration::from_secs(args.checkpoint_every),
            save_weights: args.save_weights,
            dry_run: args.dry_run,
            threads: args.threads,
            device: args.device,
            precision: args.precision,
            out: args.out.clone(),
            quiet: args.quiet,
        }
    }
}

/// The arms of tables of networks trained from scratch.
fn of_scratch(lists: Option<&[Listed]>) -> Result<Option<Vec<ArmRequest>>, CliError> {
    lists.map(|lists| arms("--activations", lists, &paper::arms_from_scratch())).transpose()
}

/// The arms of these texts, each the name of an arm of some table or an activation.
fn arms(option: &str, lists: &[Listed], known: &[&str]) -> Result<Vec<ArmRequest>, CliError> {
    let arm = |item: &str| {
        let activation = if known.contains(&item) {
            registry::activation(item).ok()
        } else {
            Some(activation(option, item, known)?)
        };
        Ok(ArmRequest { text: item.to_owned(), activation })
    };
    let arms: Vec<ArmRequest> = all_of(lists).map(arm).collect::<Result<_, CliError>>()?;
    let name = |arm: &ArmRequest| match arm.activation {
        Some(activation) if !known.contains(&arm.text.as_str()) => activation.name().to_owned(),
        _ => arm.text.clone(),
    };
    refuse_repeated(option, &arms.iter().map(name).collect::<Vec<_>>())?;
    Ok(arms)
}

fn models(names: &[String]) -> Result<Vec<&'static str>, CliError> {
    let unknown = |error: RegistryError| CliError::Usage(format!("--models: {error}"));
    names.iter().map(|name| registry::find(name).map(|entry| entry.name).map_err(unknown)).collect()
}

/// The activation of a text, by a name that a run can have. This is not done while arguments are parsed, since an error
/// in a formula takes three lines.
fn activation(option: &str, item: &str, arms: &[&str]) -> Result<&'static Definition, CliError> {
    let refused = |message: String| CliError::Usage(format!("{option}: {message}"));
    let activation = registry::activation(item).map_err(|error| match (error, did_you_mean(item, arms).as_str()) {
        (error @ RegistryError::Activation { .. }, "") => refused(error.to_string()),
        (RegistryError::Activation { .. }, meant) => refused(format!("unknown arm {}{meant}", quoted(item))),
        (error, _) => error.into(),
    })?;
    let name = activation.name();
    if is_reserved(name) {
        return Err(refused(format!("{name} is the name of another arm")));
    }
    if !is_name(name) {
        return Err(refused(format!("{} is no name of an arm: expected 1 to 64 letters, digits and _", quoted(name))));
    }
    Ok(activation)
}
