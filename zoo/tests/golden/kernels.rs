//! Every kernel in `f32` at every shape that a model of the registry gives it, against the same kernel in `f64`; those
//! that sum over more than a channel also against the plain formula at some places.

mod plain;
mod run;

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Instant;

use pvlu::kernel::Element;
use pvlu::layer::{Extent, LayerKind, Path};
use pvlu_zoo::registry::{Options, Start, activation_names, models};

use crate::models::ONE_AT_A_TIME;

/// Tolerated relative distance of `f32` from `f64` in the Euclidean norm.
const SINGLE: f64 = 1e-5;
/// Tolerated distance of a value in `f64` from the plain formula, as a share of the root mean square.
const PLAIN: f64 = 1e-11;
/// Pixels of a channel from which one image is enough.
const LARGE: usize = 56 * 56;

/// A layer at a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    kind: LayerKind,
    input: Extent,
    output: Extent,
}

impl Case {
    /// Number of images in the batch.
    fn batch(&self) -> usize {
        if self.input.plane() >= LARGE { 1 } else { 2 }
    }
}

/// Values that a kernel computed.
pub struct Output<E> {
    what: &'static str,
    values: Vec<E>,
}

impl<E: Element> Output<E> {
    pub fn new(what: &'static str, values: Vec<E>) -> Self {
        Self { what, values }
    }

    pub fn wide(what: &'static str, values: Vec<f64>) -> Self {
        Self { what, values: values.into_iter().map(E::of).collect() }
    }
}

/// The layers of every model, each shape once, and the first model that has it.
fn cases() -> BTreeMap<String, (Case, &'static str)> {
    let mut cases = BTreeMap::new();
    for entry in models() {
        for side in entry.sides().of_heads() {
            // Only the last layer, behind which there is no activation, depends on the number of classes.
            let heads = [10, 100, 1000].map(|classes| ("relu", classes));
            let others = activation_names().into_iter().map(|activation| (activation, entry.classes()));
            for (activation, classes) in heads.into_iter().chain(others) {
                let options = Options { activation, classes, image: Some((side, side)), weights: Start::Unfilled };
                let model = entry.build(&options).unwrap();
                let mut add = |layer: pvlu::layer::LayerSummary<'_>| {
                    let case = Case { kind: layer.kind, input: layer.input, output: layer.output };
                    cases.entry(format!("{case:?}")).or_insert((case, entry.name));
                };
                model.net().summarize(&mut Path::root(), Extent::image(3, side, side), &mut add).unwrap();
            }
        }
    }
    cases
}

#[test]
fn every_kernel_agrees_with_double_precision_at_every_shape_of_every_model() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut worst, mut failures): (BTreeMap<&str, (f64, usize)>, Vec<String>) = Default::default();
    let start = Instant::now();
    let cases = cases();
    println!("{} shapes found in {:.1} s", cases.len(), start.elapsed().as_secs_f64());
    for (case, model) in cases.values() {
        let (single, double) = (run::run::<f32>(case), run::run::<f64>(case));
        assert_eq!(single.len(), double.len());
        for (single, double) in single.iter().zip(&double) {
            let error = distance(single, double);
            let (largest, count) = worst.entry(single.what).or_default();
            (*largest, *count) = (largest.max(error), *count + 1);
            if error > SINGLE || error.is_nan() {
                failures.push(format!("{}, {case:?} of {model}: {error:e}", single.what));
            }
        }
        failures
            .extend(plain::check(case, &double).into_iter().map(|failure| format!("{failure}, {case:?} of {model}")));
    }
    for (what, (largest, count)) in worst {
        println!("{what}: {count} shapes, relative error at most {largest:.1e}");
    }
    println!("{:.1} s", start.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Relative distance in the Euclidean norm.
fn distance(single: &Output<f32>, double: &Output<f64>) -> f64 {
    assert_eq!((single.what, single.values.len()), (double.what, double.values.len()));
    let norm = |sum: f64| sum.sqrt();
    let pairs = single.values.iter().zip(&double.values);
    let difference = norm(pairs.map(|(&single, double)| (f64::from(single) - double).powi(2)).sum());
    difference / norm(double.values.iter().map(|double| double.powi(2)).sum())
}
