//! Loads a model with the formula's weights and compares what it answers with its golden files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dfdx::shapes::Const;
use dfdx::tensor::{Cpu, TensorFromVec};
use pvlu::Precision;
use pvlu::layer::{Mode, ParamKind, Switch, Switches};
use pvlu_zoo::names::LayerNames;
use pvlu_zoo::registry::{self, ModelEntry, Options, Start};
use pvlu_zoo::weights::{LoadOptions, TensorFile, load};

use crate::compare::{Comparison, LOGITS, LOGITS_F32, LOGITS_F32_BATCH};
use crate::file::{self, Golden, Pass, Stats};
use crate::formula::{self, Kind};
use crate::models::Model;
use crate::naming::{self, Name, Named};
use crate::network::{Build, Images, Network};
use crate::original::{self, Container, Tensor};

/// Compares everything of a model that its golden files have.
pub fn check(model: &Model) {
    let goldens = file::goldens(model.original);
    let Some(first) = goldens.first() else { return };
    let case = Case::new(model, first);
    let mut comparison = Comparison::new(model.original);
    for golden in &goldens {
        case.fits(golden);
    }
    case.relu(&goldens, &mut comparison);
    if goldens.iter().any(|golden| golden.pvlu_eval.is_some()) {
        case.pvlu(&goldens, &mut comparison);
    }
    comparison.finish();
}

/// A model with its input and its files.
struct Case<'a> {
    model: &'a Model,
    entry: &'static ModelEntry,
    layers: Vec<LayerNames>,
    tensors: Vec<Tensor>,
    /// Input: `[batch, 3, height, width]`.
    shape: [usize; 4],
    images: Vec<f32>,
    grad_output: Vec<f64>,
    folder: tempfile::TempDir,
}

impl<'a> Case<'a> {
    fn new(model: &'a Model, golden: &Golden) -> Self {
        let entry = registry::find(model.name).unwrap();
        let shape @ [batch, _, height, width] = golden.input.shape;
        // The name that the files were made with: the numbers are drawn from it.
        let grad_output = formula::tensor("cotangent", Kind::INPUT, batch * model.classes);
        Self {
            model,
            entry,
            layers: entry.names((height, width)),
            tensors: original::tensors(model.original, model.classes),
            shape,
            images: formula::tensor("input", Kind::INPUT, shape.iter().product()),
            grad_output: grad_output.into_iter().map(f64::from).collect(),
            // Not where the system keeps such folders, which may be in memory.
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    /// Asserts that a golden file is about this model.
    fn fits(&self, golden: &Golden) {
        assert_eq!((golden.classes, golden.input.shape), (self.model.classes, self.shape));
        if golden.logits_kept.is_none() {
            let names: Vec<_> = self.tensors.iter().map(|tensor| &tensor.name).collect();
            assert_eq!(golden.names.iter().collect::<Vec<_>>(), names);
            assert_eq!(golden.shapes, self.tensors.iter().map(|tensor| tensor.shape.clone()).collect::<Vec<_>>());
        }
    }

    /// Writes a file of the original; `activations` are tensors of its PVLU.
    fn file(&self, container: Container, activations: &[Tensor]) -> PathBuf {
        let path = self.folder.path().join("weights");
        original::write(&path, container, &[&self.tensors, activations].concat());
        path
    }

    fn load_options(&self) -> LoadOptions {
        LoadOptions { source: Some(original::source(self.model.original)), ..LoadOptions::default() }
    }

    /// A network in `f64` with the weights of a file.
    fn network(&self, build: Build, path: &PathBuf) -> Box<dyn Network> {
        let mut network = build().unwrap();
        let file = TensorFile::open(path).unwrap();
        let report = load(network.net(), &self.layers, &file, &self.load_options()).unwrap();
        assert_eq!(report.loaded.len(), file.entries().len(), "{report}");
        assert!(report.fresh.is_empty() && report.ignored.is_empty(), "{report}");
        network
    }

    /// The registry's model in `f32` with the weights of a file. Names are recognized.
    fn model(&self, activation: &str, path: &PathBuf) -> Box<dyn pvlu_zoo::model::Model> {
        let [_, _, height, width] = self.shape;
        let classes = self.model.classes;
        let options = Options { activation, classes, image: Some((height, width)), weights: Start::Unfilled };
        let mut model = self.entry.build(&options).unwrap();
        let file = TensorFile::open(path).unwrap();
        let report = load(model.net_mut(), &self.layers, &file, &LoadOptions::default()).unwrap();
        assert_eq!(report.loaded.len(), file.entries().len(), "{report}");
        model
    }

    fn images(&self) -> Images {
        let [batch, _, height, width] = self.shape;
        let values = self.images.iter().map(|&value| f64::from(value)).collect();
        Cpu::default().try_tensor_from_vec(values, (batch, Const, height, width)).unwrap()
    }

    fn relu(&self, goldens: &[Golden], comparison: &mut Comparison) {
        let path = self.file(self.model.container, &[]);
        let logits = self.network(self.model.relu, &path).pass(&self.images(), None).unwrap().logits;
        let mut model = self.model("relu", &path);
        let single = model.logits(self.images.clone()).unwrap();
        model.set_precision(Precision::Bf16x3);
        let split = model.logits(self.images.clone()).unwrap();
        assert!(single != split, "the precision was not changed");
        for golden in goldens {
            let (expected, cut) = (&golden.relu_eval_logits[..], (golden.classes, golden.logits_kept));
            comparison.logits("f64 logits with ReLU", (&logits, expected), cut, LOGITS);
            comparison.logits("f32 logits with ReLU", (&single, expected), cut, LOGITS_F32);
            comparison.logits("bf16x3 logits with ReLU", (&split, expected), cut, LOGITS_F32);
        }
    }

    fn pvlu(&self, goldens: &[Golden], comparison: &mut Comparison) {
        let sites = sites(&mut *(self.model.pvlu)().unwrap());
        for golden in goldens.iter().filter(|golden| golden.logits_kept.is_none()) {
            assert_eq!(sites, golden.sites.iter().map(|site| site.channels).collect::<Vec<_>>());
        }
        let path = self.file(Container::Safetensors, &original::activations(&sites));
        let batch_statistics = goldens.iter().any(|golden| golden.pvlu_train.is_some());

        let mut network = self.network(self.model.pvlu, &path);
        let running = self.pass(&mut *network);
        let batch = batch_statistics.then(|| {
            network.net().each_switch(use_batch);
            self.pass(&mut *network)
        });
        drop(network);
        let mut model = self.model("pvlu", &path);
        let running_f32 = model.logits(self.images.clone()).unwrap();
        let batch_f32 = batch_statistics.then(|| {
            model.switches(&mut use_batch);
            model.logits(self.images.clone()).unwrap()
        });

        for golden in goldens {
            let cut = (golden.classes, golden.logits_kept);
            if let Some(expected) = &golden.pvlu_eval {
                running.compare("running statistics", expected, cut, comparison);
                let logits = (&running_f32[..], &expected.logits[..]);
                comparison.logits("f32 logits, running statistics", logits, cut, LOGITS_F32);
            }
            if let (Some(expected), Some(batch), Some(batch_f32)) = (&golden.pvlu_train, &batch, &batch_f32) {
                batch.compare("batch statistics", expected, cut, comparison);
                let logits = (&batch_f32[..], &expected.logits[..]);
                comparison.logits("f32 logits, batch statistics", logits, cut, LOGITS_F32_BATCH);
            }
        }
    }

    /// One pass forward and backward in `f64`.
    fn pass(&self, network: &mut dyn Network) -> Found {
        let images = self.images();
        let answer = network.pass(&images, Some(&self.grad_output)).unwrap();
        let mut gradients = answer.gradients.unwrap();
        let input = gradients.get_mut(&images).unwrap().unwrap();
        let input = naming::stats(self.shape.to_vec(), input, |index| index);
        let mut found = Found { logits: answer.logits, input, ..Found::default() };
        let source = original::source(self.model.original);
        let mut show = |tensor: Named<'_>| match &tensor.name {
            Name::Layer(name) if !tensor.kind.is_parameter() => {
                found.running.insert(name.clone(), tensor.stats(&tensor.tensor.read().unwrap()));
            }
            name => {
                let gradient = tensor.tensor.gradient(&mut gradients).unwrap();
                let stats = tensor.stats(gradient.unwrap_or_else(|| panic!("{name:?} got no gradient")));
                match name {
                    Name::Layer(name) => found.parameters.insert(name.clone(), (tensor.kind, stats)).map(drop),
                    Name::Activation(site, parameter) => {
                        found.activations.insert((*site, parameter.clone()), stats).map(drop)
                    }
                };
            }
        };
        naming::each(network.net(), &self.layers, source, &mut show).unwrap();
        found
    }
}

/// Channels of the activation sites.
fn sites(network: &mut dyn Network) -> Vec<usize> {
    let mut sites = Vec::new();
    network.net().each_switch(|switches| {
        if let Switches::Activation { channels, .. } = switches {
            sites.push(channels);
        }
    });
    sites
}

/// Batch norms normalize by the batch; dropouts stay off.
fn use_batch(switches: Switches<'_>) {
    if let Switches::BatchNorm(batch_norm) = switches {
        batch_norm.mode = Mode::Train;
    }
}

/// Results of one pass.
#[derive(Default)]
struct Found {
    logits: Vec<f64>,
    input: Stats,
    activations: BTreeMap<(usize, String), Stats>,
    parameters: BTreeMap<String, (ParamKind, Stats)>,
    running: BTreeMap<String, Stats>,
}

impl Found {
    fn compare(&self, statistics: &str, expected: &Pass, cut: (usize, Option<usize>), comparison: &mut Comparison) {
        comparison.logits(&format!("f64 logits, {statistics}"), (&self.logits, &expected.logits), cut, LOGITS);
        let gradients = format!("gradients, {statistics}");
        comparison.stats(&gradients, "input", &self.input, &expected.input_grad);
        assert_eq!(expected.alpha_grad.len() + expected.beta_grad.len(), self.activations.len());
        for (parameter, of_sites) in [("alpha", &expected.alpha_grad), ("beta", &expected.beta_grad)] {
            for (site, expected) in of_sites.iter().enumerate() {
                let found = &self.activations[&(site, parameter.to_owned())];
                if let Some(expected) = expected {
                    comparison.stats(&gradients, &format!("act{site}.{parameter}"), found, expected);
                }
            }
        }
        let (batch, full) = (!expected.running.is_empty(), cut.1.is_none());
        comparison.parameters(&gradients, &self.parameters, &expected.param_grad, batch && full);
        for (name, expected) in &expected.running {
            comparison.stats("running statistics after a step", name, &self.running[name], expected);
        }
        if full {
            assert_eq!(self.parameters.len(), expected.param_grad.len());
            assert!(!batch || self.running.len() == expected.running.len());
        }
    }
}
