//! A network's layers, sizes and numbers of parameters, as a table.

use std::fmt;

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::any_tensor::AnyTensor;
use super::layer_summary::{Extent, LayerKind};
use super::visit::{NamedTensor, ParamKind, Path, Visit, Visitor};
use crate::error::Error;

/// Elements of tensors, by what training does to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Elements of parameters that are trained.
    pub trained: usize,
    /// Elements of parameters that are frozen.
    pub frozen: usize,
    /// Elements of running statistics.
    pub statistics: usize,
    /// Elements of hyperparameters of activations, which are never trained.
    pub fixed: usize,
}

impl Counts {
    /// Parameters, frozen or not.
    pub fn parameters(&self) -> usize {
        self.trained + self.frozen
    }

    fn add(&mut self, slot: &NamedTensor<'_>, elements: usize) {
        *match slot.kind {
            ParamKind::RunningMean | ParamKind::RunningVariance => &mut self.statistics,
            ParamKind::Hyperparameter => &mut self.fixed,
            _ if slot.trained => &mut self.trained,
            _ => &mut self.frozen,
        } += elements;
    }
}

/// One layer in a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryLine {
    /// Path from the root, with dots; empty where the network is one layer.
    pub path: String,
    /// Kind and hyperparameters of the layer.
    pub kind: LayerKind,
    /// Sizes of the output for one image.
    pub output: Extent,
    /// Elements of its tensors.
    pub counts: Counts,
    /// Multiplications with a subsequent addition, for one image; see
    /// [`LayerSummary::multiply_adds`](super::LayerSummary::multiply_adds).
    pub multiply_adds: u64,
}

/// The result of [`summary`]: the layers in forward order, and as text a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Sizes of one input image.
    pub input: Extent,
    /// The layers in forward order.
    pub layers: Vec<SummaryLine>,
    /// Elements of all tensors of the network.
    pub totals: Counts,
}

impl Summary {
    /// Multiplications with a subsequent addition of the whole network, for one image.
    pub fn multiply_adds(&self) -> u64 {
        self.layers.iter().map(|layer| layer.multiply_adds).sum()
    }
}

/// The layers of a network with what each gives for an image of size `input`, and with the elements of its tensors.
/// Nothing is run. Print it:
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Features = (nn::Conv2D<1, 8, 3, 1, 1>, nn::Act<Pvlu, 8>, nn::MaxPool2D<2, 2>);
/// type Net = (Features, nn::Flatten2D<8, 4, 4, 128>, nn::Linear<128, 10>);
///
/// let net = Cpu::default().build_module::<Net, f32>();
/// let table = "\
/// layer  kind                                output  parameters
///        input                                1x8x8
/// 0.0    Conv2D 3x3, stride 1, padding 1      8x8x8          80
/// 0.1    pvlu                                 8x8x8          16
/// 0.2    MaxPool2D 2x2, stride 2, padding 0   8x4x4
/// 1      Flatten2D                              128
/// 2      Linear                                  10       1,290
/// parameters: 1,386 trained, 0 frozen; running statistics: 0; multiply-adds: 5,888
/// ";
/// assert_eq!(summary(&net, Extent::image(1, 8, 8))?.to_string(), table);
/// # Ok::<(), pvlu::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Shape`] or [`Error::Window`] where a layer does not take what the one before it gives.
pub fn summary<E: Unit, D: Storage<E>>(net: &(impl Visit<E, D> + ?Sized), input: Extent) -> Result<Summary, Error> {
    let mut layers = Vec::new();
    net.summarize(&mut Path::root(), input, &mut |layer| {
        let (path, multiply_adds) = (layer.path.to_owned(), layer.multiply_adds());
        let counts = Counts::default();
        layers.push(SummaryLine { path, kind: layer.kind, output: layer.output, counts, multiply_adds });
    })?;
    let mut summary = Summary { input, layers, totals: Counts::default() };
    net.visit(&mut Path::root(), &mut summary)?;
    Ok(summary)
}

impl<E: Unit, D: Storage<E>> Visitor<E, D> for Summary {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, D>) -> Result<(), Error> {
        let elements = tensor.dims().into_iter().product();
        self.totals.add(&slot, elements);
        // The innermost layer that it lies in: a residual block is a layer too, the sum of its branches.
        let holds = |layer: &&mut SummaryLine| lies_in(slot.path, &layer.path);
        if let Some(layer) = self.layers.iter_mut().filter(holds).max_by_key(|layer| layer.path.len()) {
            layer.counts.add(&slot, elements);
        }
        Ok(())
    }
}

/// True if the layer at `layer` is the network itself or a step on the way to `tensor`.
fn lies_in(tensor: &str, layer: &str) -> bool {
    layer.is_empty() || tensor.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["layer", "kind", "output", "parameters"].map(str::to_owned)];
        rows.push([String::new(), "input".to_owned(), self.input.to_string(), String::new()]);
        for layer in &self.layers {
            let parameters = match layer.counts.parameters() + layer.counts.fixed {
                0 => String::new(),
                count => grouped(count as u64),
            };
            rows.push([layer.path.clone(), layer.kind.to_string(), layer.output.to_string(), parameters]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let [path, kind, output, parameters] = [0, 1, 2, 3].map(width);
        for [a, b, c, d] in &rows {
            let row = format!("{a:path$}  {b:kind$}  {c:>output$}  {d:>parameters$}");
            writeln!(f, "{}", row.trim_end())?;
        }
        let Counts { trained, frozen, statistics, fixed } = self.totals;
        let [trained, frozen, statistics] = [trained, frozen, statistics].map(|count| grouped(count as u64));
        write!(f, "parameters: {trained} trained, {frozen} frozen")?;
        if fixed > 0 {
            write!(f, ", {} fixed", grouped(fixed as u64))?;
        }
        writeln!(f, "; running statistics: {statistics}; multiply-adds: {}", grouped(self.multiply_adds()))
    }
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }

    #[test]
    fn a_tensor_lies_in_its_layer_and_in_those_around_it() {
        assert!(lies_in("0.main.1.weight", "0.main.1") && lies_in("0.main.1.weight", "0") && lies_in("weight", ""));
        assert!(!lies_in("0.main.10.weight", "0.main.1") && !lies_in("0.main.1", "0.main.1"));
    }
}
