//! Gradients.
//!
//! With `d = x - mean` and the gradient of the output `g` of `y`,
//!
//! ```text
//! grad_beta  = sum(g)
//! grad_gamma = sum(g d) inv_std
//! grad_x     = gamma inv_std (g - grad_beta / n - d inv_std grad_gamma / n)      batch statistics
//! grad_x     = gamma inv_std g                                                   constant statistics
//! ```

use super::apply::{Pointwise, apply};
use super::tiles::{Lines, Tile, partials_of, split_partials};
use super::{GradientSums, Gradients, Scaling};
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd};
use crate::kernel::cpu::sums::{BLOCK, block_sums};
use crate::kernel::cpu::tasks::{self, pieces};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::InputGradient;

/// Adds the gradients of normalization by the statistics of the batch `x` itself, which `scaling` holds.
pub fn backward<E: Element>(
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    gradients: Gradients<E>,
) {
    backward_at(Level::current(), layout, x, scaling, grad_output, gradients);
}

pub(crate) fn backward_at<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    gradients: Gradients<E>,
) {
    check(layout, x, scaling, grad_output, &gradients);
    let Gradients { x: grad_x, gamma: grad_gamma, beta: grad_beta } = gradients;
    if layout.is_empty() || (grad_x.slice().is_none() && grad_gamma.is_none() && grad_beta.is_none()) {
        return;
    }
    let sums = sums(level, layout, x, scaling.mean, grad_x.grad_output(grad_output));
    add_parameter_gradients(&sums, scaling.inv_std, grad_gamma, grad_beta);
    through_statistics(level, layout, x, scaling, grad_output, (&sums, layout.count()), grad_x);
}

/// Writes the gradient of `x`, normalized by the statistics of all of those elements of a channel that the sums are of.
fn through_statistics<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    (sums, count): (&[Sums], usize),
    grad_x: InputGradient<&mut [E]>,
) {
    if grad_x.slice().is_none() {
        return;
    }

    // a g + b x + c
    let n = count as f64;
    let mut coefficients = [const { Vec::new() }; 3];
    for (channel, sums) in sums.iter().enumerate() {
        let inv_std = scaling.inv_std[channel];
        let a = scaling.gamma[channel].wide() * inv_std;
        let b = -a * inv_std * inv_std * sums.products / n;
        let c = -a * sums.grad_outputs / n - b * scaling.mean[channel];
        for (values, value) in coefficients.iter_mut().zip([a, b, c]) {
            values.push(E::of(value));
        }
    }
    let coefficients = coefficients.each_ref().map(|values| &values[..]);
    match grad_x {
        InputGradient::Skip => {}
        InputGradient::Overwrite(to) => apply(level, layout, ThroughStatistics, coefficients, [x, grad_output], to),
        InputGradient::Accumulate(to) => {
            apply(level, layout, Added(ThroughStatistics), coefficients, [x, grad_output], to)
        }
        InputGradient::InPlace(to) => apply(level, layout, ThroughStatistics, coefficients, [x], to),
    }
}

/// The sums over a part `x` of the elements that were normalized together, of which `mean` is the mean.
pub fn gradient_sums<E: Element>(layout: ChannelsLayout, x: &[E], mean: &[f64], grad_output: &[E]) -> GradientSums {
    assert_eq!((x.len(), grad_output.len(), mean.len()), (layout.len(), layout.len(), layout.channels));
    let sums = match layout.is_empty() {
        true => vec![Sums::default(); layout.channels],
        false => sums(Level::current(), layout, x, mean, grad_output),
    };
    GradientSums {
        grad_outputs: sums.iter().map(|sums| sums.grad_outputs).collect(),
        products: sums.iter().map(|sums| sums.products).collect(),
    }
}

/// As [`backward`], of a part of the elements that were normalized together. `own` are its [`gradient_sums`], which go
/// into the gradients of gamma and beta, `all` those of all `count` elements of a channel together.
pub fn backward_of_part<E: Element>(
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    [own, all]: [&GradientSums; 2],
    count: usize,
    gradients: Gradients<E>,
) {
    check(layout, x, scaling, grad_output, &gradients);
    let Gradients { x: grad_x, gamma, beta } = gradients;
    if layout.is_empty() {
        return;
    }
    add_parameter_gradients(&Sums::of(own), scaling.inv_std, gamma, beta);
    through_statistics(Level::current(), layout, x, scaling, grad_output, (&Sums::of(all), count), grad_x);
}

/// Adds the gradients of normalization by constant statistics. `x` is read for the gradients of gamma and beta alone;
/// it may be empty where neither is wanted.
pub fn backward_running<E: Element>(
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    gradients: Gradients<E>,
) {
    backward_running_at(Level::current(), layout, x, scaling, grad_output, gradients);
}

pub(crate) fn backward_running_at<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: &[E],
    scaling: Scaling<E>,
    grad_output: &[E],
    gradients: Gradients<E>,
) {
    let reads_x = gradients.gamma.is_some() || gradients.beta.is_some();
    check(layout, if reads_x { x } else { gradients.x.grad_output(grad_output) }, scaling, grad_output, &gradients);
    let Gradients { x: grad_x, gamma: grad_gamma, beta: grad_beta } = gradients;
    if layout.is_empty() {
        return;
    }
    if grad_gamma.is_some() || grad_beta.is_some() {
        let sums = sums(level, layout, x, scaling.mean, grad_x.grad_output(grad_output));
        add_parameter_gradients(&sums, scaling.inv_std, grad_gamma, grad_beta);
    }
    let scales = scaling.gamma.iter().zip(scaling.inv_std);
    let scale = || scales.map(|(gamma, s)| E::of(gamma.wide() * s)).collect::<Vec<E>>();
    match grad_x {
        InputGradient::Skip => {}
        InputGradient::Overwrite(to) => apply(level, layout, Scaled, [&scale(); 3], [grad_output], to),
        InputGradient::Accumulate(to) => apply(level, layout, Added(Scaled), [&scale(); 3], [grad_output], to),
        InputGradient::InPlace(to) => apply(level, layout, Scaled, [&scale(); 3], [], to),
    }
}

fn check<E>(layout: ChannelsLayout, x: &[E], scaling: Scaling<E>, grad_output: &[E], gradients: &Gradients<E>) {
    scaling.check(layout);
    assert_eq!((x.len(), gradients.x.grad_output(grad_output).len()), (layout.len(), layout.len()));
    assert!(gradients.x.slice().is_none_or(|grad| grad.len() == layout.len()));
    assert!(gradients.gamma.as_ref().is_none_or(|grad| grad.len() == layout.channels));
    assert!(gradients.beta.as_ref().is_none_or(|grad| grad.len() == layout.channels));
}

/// `out = a g + b x + c`.
#[derive(Clone, Copy)]
struct ThroughStatistics;

impl<E: Element> Pointwise<E, 2> for ThroughStatistics {
    #[inline(always)]
    fn at(self, _: E, [x, g]: [E; 2], [a, b, c]: [E; 3]) -> E {
        a * g + (b * x + c)
    }
}

/// Over the gradient of the output.
impl<E: Element> Pointwise<E, 1> for ThroughStatistics {
    #[inline(always)]
    fn at(self, g: E, [x]: [E; 1], [a, b, c]: [E; 3]) -> E {
        a * g + (b * x + c)
    }
}

/// `out = a g`.
#[derive(Clone, Copy)]
struct Scaled;

impl<E: Element> Pointwise<E, 1> for Scaled {
    #[inline(always)]
    fn at(self, _: E, [g]: [E; 1], [a, _, _]: [E; 3]) -> E {
        a * g
    }
}

/// Over the gradient of the output.
impl<E: Element> Pointwise<E, 0> for Scaled {
    #[inline(always)]
    fn at(self, g: E, []: [E; 0], [a, _, _]: [E; 3]) -> E {
        a * g
    }
}

/// Another formula, whose result is added to the old output.
#[derive(Clone, Copy)]
struct Added<F>(F);

impl<E: Element, F: Pointwise<E, N>, const N: usize> Pointwise<E, N> for Added<F> {
    #[inline(always)]
    fn at(self, out: E, inputs: [E; N], coefficients: [E; 3]) -> E {
        out + self.0.at(out, inputs, coefficients)
    }
}

/// `sum(g)` and `sum(g d)` over some elements of a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    grad_outputs: f64,
    products: f64,
}

impl Sums {
    /// The sums of each channel.
    fn of(sums: &GradientSums) -> Vec<Self> {
        let both = sums.grad_outputs.iter().zip(&sums.products);
        both.map(|(&grad_outputs, &products)| Sums { grad_outputs, products }).collect()
    }

    #[inline(always)]
    fn add(&mut self, (grad_outputs, products): (f64, f64)) {
        self.grad_outputs += grad_outputs;
        self.products += products;
    }
}

fn add_parameter_gradients<E: Element>(
    sums: &[Sums],
    inv_std: &[f64],
    gamma: Option<&mut [E]>,
    beta: Option<&mut [E]>,
) {
    if let Some(gamma) = gamma {
        for ((gamma, sums), inv_std) in gamma.iter_mut().zip(sums).zip(inv_std) {
            *gamma = *gamma + E::of(sums.products * inv_std);
        }
    }
    if let Some(beta) = beta {
        for (beta, sums) in beta.iter_mut().zip(sums) {
            *beta = *beta + E::of(sums.grad_outputs);
        }
    }
}

fn sums<E: Element>(level: Level, layout: ChannelsLayout, x: &[E], mean: &[f64], grad_output: &[E]) -> Vec<Sums> {
    let mean: Vec<E> = mean.iter().map(|&mean| E::of(mean)).collect();
    match Lines::of(layout) {
        Lines::Planes => sums_by_planes(level, layout, x, &mean, grad_output),
        Lines::Rows { line } => sums_by_rows(level, layout, line, x, &mean, grad_output),
    }
}

fn sums_by_planes<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: &[E],
    mean: &[E],
    grad_output: &[E],
) -> Vec<Sums> {
    let pieces = pieces(x.len(), layout.inner);
    // As many partial results as the piece has planes, or one for its part of a plane.
    let sizes: Vec<usize> = pieces.iter().map(|piece| piece.elements.len().div_ceil(layout.inner)).collect();
    let mut partials = vec![Sums::default(); sizes.iter().sum()];
    let mut rest = &mut partials[..];
    tasks::for_each(
        level,
        pieces.iter().zip(&sizes).map(|(piece, &size)| {
            let (sums, after) = std::mem::take(&mut rest).split_at_mut(size);
            rest = after;
            let (x, grad_output) = (&x[piece.elements.clone()], &grad_output[piece.elements.clone()]);
            PlaneSums { x, grad_output, mean, plane: piece.line, inner: layout.inner, sums }
        }),
    );
    let mut channels = vec![Sums::default(); layout.channels];
    let planes = pieces.iter().zip(&sizes).flat_map(|(piece, &size)| piece.line..piece.line + size);
    for (plane, sums) in planes.zip(&partials) {
        channels[plane % layout.channels].add((sums.grad_outputs, sums.products));
    }
    channels
}

struct PlaneSums<'a, E> {
    x: &'a [E],
    grad_output: &'a [E],
    mean: &'a [E],
    /// Index of the first plane, over all channels of all samples.
    plane: usize,
    inner: usize,
    sums: &'a mut [Sums],
}

impl<E: Element> Kernel for PlaneSums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let planes = self.x.chunks(self.inner).zip(self.grad_output.chunks(self.inner));
        for (i, ((x, grad_output), sums)) in planes.zip(self.sums).enumerate() {
            let mean = self.mean[(self.plane + i) % self.mean.len()];
            for (x, grad_output) in x.chunks(BLOCK).zip(grad_output.chunks(BLOCK)) {
                sums.add(block_sums::<S, E, false>(x, grad_output, mean));
            }
        }
    }
}

fn sums_by_rows<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    line: usize,
    x: &[E],
    mean: &[E],
    grad_output: &[E],
) -> Vec<Sums> {
    let tiles = Tile::all(layout, line);
    let mut partials = vec![Sums::default(); partials_of(&tiles)];
    let parts = split_partials(&tiles, &mut partials);
    tasks::for_each(level, tiles.iter().zip(parts).map(|(tile, sums)| TileSums { x, grad_output, mean, tile, sums }));
    let mut channels = vec![Sums::default(); layout.channels];
    for (i, sums) in partials.iter().enumerate() {
        channels[i % layout.channels].add((sums.grad_outputs, sums.products));
    }
    channels
}

struct TileSums<'a, E> {
    x: &'a [E],
    grad_output: &'a [E],
    mean: &'a [E],
    tile: &'a Tile,
    sums: &'a mut [Sums],
}

impl<E: Element> Kernel for TileSums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let tile = self.tile;
        let first = tile.first_channel();
        let means = tile.expand(&self.mean[first..first + tile.channels()]);
        let mut grad_outputs = vec![E::zero(); tile.columns.len()];
        let mut products = vec![E::zero(); tile.columns.len()];
        for (x, grad_output) in tile.lines(self.x).zip(tile.lines(self.grad_output)) {
            let sums = grad_outputs.iter_mut().zip(&mut products);
            for ((sums, &mean), (&x, &g)) in sums.zip(&means).zip(x.iter().zip(grad_output)) {
                *sums.0 = *sums.0 + g;
                *sums.1 = *sums.1 + g * (x - mean);
            }
        }
        let grad_outputs = tile.fold(grad_outputs.iter().map(|sum| sum.wide()));
        let products = tile.fold(products.iter().map(|sum| sum.wide()));
        for (sums, sum) in self.sums.iter_mut().zip(grad_outputs.into_iter().zip(products)) {
            sums.add(sum);
        }
    }
}
