//! The tensors of a network by the names and in the order of its original.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path, Visit, Visitor};
use pvlu_zoo::names::{LayerNames, WeightLayout};
use pvlu_zoo::weights::Source;

use crate::file::Stats;

/// The original's name of a tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A parameter of an activation: its site and `alpha` or `beta`.
    Activation(usize, String),
    /// A tensor of a layer.
    Layer(String),
}

/// A tensor of a network.
pub struct Named<'a> {
    pub name: Name,
    pub kind: ParamKind,
    pub tensor: &'a dyn AnyTensor<f64, Cpu>,
    order: Order,
}

impl Named<'_> {
    /// Sums and first entries of values for this tensor, in the original's order.
    pub fn stats(&self, values: &[f64]) -> Stats {
        let dims = self.tensor.dims();
        let shape = match (self.order, &dims[..]) {
            (Order::Same, dims) => dims.to_vec(),
            (Order::Reversed { .. }, [outputs, inputs, rows, columns]) => vec![*rows, *columns, *inputs, *outputs],
            (Order::Reversed { .. }, dims) => dims.iter().rev().copied().collect(),
        };
        stats(shape, values, |index| self.order.here(index, dims[0]))
    }
}

/// Sums and first entries of a tensor; `place` returns the positions of the first entries.
pub fn stats(shape: Vec<usize>, values: &[f64], place: impl Fn(usize) -> usize) -> Stats {
    assert_eq!(values.len(), shape.iter().product::<usize>());
    Stats {
        shape,
        sum: values.iter().sum(),
        abs_sum: values.iter().map(|value| value.abs()).sum(),
        first: (0..values.len().min(8)).map(|index| values[place(index)]).collect(),
    }
}

/// Order of an original's elements, for a tensor that is `[outputs, inputs, pixels]` here.
#[derive(Clone, Copy, Debug)]
enum Order {
    Same,
    /// The order `[pixels, inputs, outputs]` of Keras.
    Reversed {
        inputs: usize,
        pixels: usize,
    },
}

impl Order {
    /// Position here of the original's element `index`.
    fn here(self, index: usize, outputs: usize) -> usize {
        match self {
            Order::Same => index,
            Order::Reversed { inputs, pixels } => {
                let (output, input, pixel) = (index % outputs, index / outputs % inputs, index / outputs / inputs);
                (output * inputs + input) * pixels + pixel
            }
        }
    }
}

/// Shows every tensor of a network whose layers have these names.
pub fn each(
    net: &dyn Visit<f64, Cpu>,
    layers: &[LayerNames],
    source: Source,
    show: &mut dyn FnMut(Named<'_>),
) -> Result<(), Error> {
    let names = Names { layers, source, layer: Counter::default(), site: Counter::default(), show };
    net.visit(&mut Path::root(), &mut { names })
}

struct Names<'a> {
    layers: &'a [LayerNames],
    source: Source,
    layer: Counter,
    site: Counter,
    show: &'a mut dyn FnMut(Named<'_>),
}

impl Visitor<f64, Cpu> for Names<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        let (parent, leaf) = slot.path.rsplit_once('.').unwrap();
        let (name, order) = if slot.kind == ParamKind::Activation {
            (Name::Activation(self.site.number(parent), leaf.to_owned()), Order::Same)
        } else {
            named(&self.layers[self.layer.number(parent)], self.source, slot.kind, &tensor.dims())
        };
        (self.show)(Named { name, kind: slot.kind, tensor, order });
        Ok(())
    }
}

/// Numbers layers as they are met.
#[derive(Default)]
struct Counter {
    last: Option<String>,
    met: usize,
}

impl Counter {
    fn number(&mut self, layer: &str) -> usize {
        if self.last.as_deref() != Some(layer) {
            self.last = Some(layer.to_owned());
            self.met += 1;
        }
        self.met - 1
    }
}

fn named(layer: &LayerNames, source: Source, kind: ParamKind, dims: &[usize]) -> (Name, Order) {
    if source == Source::Torchvision {
        let leaf = match kind {
            ParamKind::Weight | ParamKind::Scale => "weight",
            ParamKind::Bias | ParamKind::Shift => "bias",
            ParamKind::RunningMean => "running_mean",
            ParamKind::RunningVariance => "running_var",
            ParamKind::Activation | ParamKind::Hyperparameter => unreachable!("no tensor of a layer"),
        };
        return (Name::Layer(format!("{}.{leaf}", layer.name_by(source).unwrap())), Order::Same);
    }
    let leaf = match kind {
        ParamKind::Weight => "kernel",
        ParamKind::Bias => "bias",
        ParamKind::Scale => "gamma",
        ParamKind::Shift => "beta",
        ParamKind::RunningMean => "moving_mean",
        ParamKind::RunningVariance => "moving_variance",
        ParamKind::Activation | ParamKind::Hyperparameter => unreachable!("no tensor of a layer"),
    };
    let order = match (dims, layer.layout) {
        ([_, inputs, rows, columns], _) => Order::Reversed { inputs: *inputs, pixels: rows * columns },
        ([_, _], WeightLayout::FlattenedImage { channels, side }) => {
            Order::Reversed { inputs: channels, pixels: side * side }
        }
        ([_, inputs], WeightLayout::Usual) => Order::Reversed { inputs: *inputs, pixels: 1 },
        _ => Order::Same,
    };
    (Name::Layer(format!("{}/{leaf}", layer.name_by(source).unwrap())), order)
}
