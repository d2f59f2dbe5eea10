//! The passes of a program over a tensor: cut into tasks, units and blocks.
//!
//! A unit is a plane, along which the parameters are the same, or a tile of rows, over which they are spread out. A
//! block is a part of a unit.

use super::block::{BLOCK, Block, Elements, Registers, read, run};
use super::definition::Program;
use super::list::Outputs;
use crate::kernel::Element;
use crate::kernel::cpu::activation::input;
use crate::kernel::cpu::activation::pieces::{deposit, for_each_task, load, pieces, sources};
use crate::kernel::cpu::activation::planes;
use crate::kernel::cpu::activation::rows::{Tile, fold};
use crate::kernel::cpu::batch_norm::Normalization;
use crate::kernel::cpu::simd::{Kernel, Lane, Level, MAX_WIDTH, Simd, dispatch_at, widest};
use crate::kernel::cpu::sums::halve;
use crate::kernel::cpu::workspace::{self, Buffer, with_kept};
use crate::kernel::layout::ChannelsLayout;

/// The parameters along the elements of a tensor.
struct Spread<'a, E> {
    layout: ChannelsLayout,
    params: &'a [&'a [E]],
    /// The parameters spread out over rows, for narrow channels; `None` for planes.
    tile: Option<Tile<E>>,
}

impl<'a, E: Element> Spread<'a, E> {
    fn new(layout: ChannelsLayout, params: &'a [&'a [E]]) -> Self {
        Spread { layout, params, tile: (!layout.is_planar()).then(|| Tile::new(layout, params)) }
    }

    /// Elements of a unit.
    fn unit(&self) -> usize {
        self.tile.as_ref().map_or(self.layout.inner, |tile| tile.len)
    }

    /// Elements of a task, whole units.
    fn task(&self) -> usize {
        self.tile.as_ref().map_or_else(|| planes::planes_per_task(self.layout) * self.layout.inner, Tile::task)
    }

    /// Readies the registers of the parameters for the `len` elements from `at` on in a unit, by its number. Blocks of
    /// a plane are worked on from the first to the last.
    #[inline(always)]
    fn fill<V: Lane<Elem = E>>(&self, unit: usize, at: usize, len: usize, registers: &mut [Block<E>]) {
        let registers = registers[1..].iter_mut().zip(self.params);
        match &self.tile {
            Some(tile) => {
                for (i, (to, _)) in registers.enumerate() {
                    to.fill_from::<V>(&tile.params[i * tile.stride + at..][..len]);
                }
            }
            None if at == 0 => {
                for (to, param) in registers {
                    to.fill_with::<V>(len, param[unit % self.layout.channels]);
                }
            }
            None => {}
        }
    }
}

/// Computes `y` from `x` or, without one, from the contents of `y`.
pub(super) fn forward<E: Element>(
    program: &Program,
    layout: ChannelsLayout,
    x: Option<&[E]>,
    params: &[&[E]],
    y: &mut [E],
) {
    let level = Level::current();
    let spread = &Spread::new(layout, params);
    let task = spread.task();
    let tasks = sources(x, task).zip(y.chunks_mut(task)).collect();
    for_each_task(tasks, |number, (x, y)| {
        let first = number * task / spread.unit();
        with_kept(|registers| dispatch_at(level, Forward { program, spread, first, x, y, registers }));
    });
}

/// Units from number `first` on; without `x`, computed from the contents of `y`.
struct Forward<'a, E> {
    program: &'a Program,
    spread: &'a Spread<'a, E>,
    first: usize,
    x: Option<&'a [E]>,
    y: &'a mut [E],
    registers: &'a mut Registers<E>,
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Forward { program, spread, .. } = self;
        let list = &program.value;
        let (own, registers) = self.registers.ready(program.params, list);
        let unit = spread.unit();
        // The last instruction writes to y itself where that is a whole block.
        let last = list.instructions.last();
        let direct = last.is_some_and(|last| last.second.is_none() && last.target == list.outputs[0]);
        for (number, (x, y)) in sources(self.x, unit).zip(self.y.chunks_mut(unit)).enumerate() {
            for (block, (x, y)) in sources(x, BLOCK).zip(y.chunks_mut(BLOCK)).enumerate() {
                let len = y.len();
                let x = match x {
                    Some(x) => own.of::<E::Lane<S>>(x),
                    None => {
                        own.fill_from::<E::Lane<S>>(y);
                        &own.0
                    }
                };
                spread.fill::<E::Lane<S>>(self.first + number, block * BLOCK, len, registers);
                let output = <&mut Elements<E>>::try_from(&mut *y).ok().filter(|_| direct);
                let written = output.is_some();
                run::<E::Lane<S>>(list, Outputs::MAX, len, x, registers, output);
                if !written {
                    y.copy_from_slice(&read(list.outputs[0], x, registers)[..len]);
                }
            }
        }
    }
}

/// The inputs of a backward pass, and the gradients that it is to find.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, E> {
    pub program: &'a Program,
    pub layout: ChannelsLayout,
    pub x: &'a [E],
    /// The batch norm that makes the input of `x`; `None` where `x` is the input.
    pub normalization: Option<&'a Normalization<E>>,
    pub params: &'a [&'a [E]],
    /// The gradient of the output; `None` where the slice for the gradient of x holds it and is overwritten.
    pub grad_output: Option<&'a [E]>,
    /// True if the gradient of x is added to the contents of its slice.
    pub accumulate: bool,
    /// The bits of the wanted gradients: the lowest for that of x, and then one for each parameter.
    pub wanted: Outputs,
}

impl<E: Element> Pass<'_, E> {
    fn wants(&self, output: usize) -> bool {
        self.wanted >> output & 1 != 0
    }

    /// Computes the gradient of x, and returns the sums `[parameters, channels]` for those of the parameters. What is
    /// not wanted may be empty, or is zero.
    pub fn backward(self, grad_x: &mut [E]) -> Vec<f64> {
        let (level, params, channels) = (Level::current(), self.program.params, self.layout.channels);
        let spread = &Spread::new(self.layout, self.params);
        let (unit, task) = (spread.unit(), spread.task());
        let count = self.x.len().div_ceil(task);
        let wants_params = (1..=params).any(|output| self.wants(output));
        // [planes, parameters], or [tasks, parameters, channels]; those of a task, and all.
        let (piece, all) = match &spread.tile {
            _ if !wants_params => (0, 0),
            None => (task / unit * params, self.layout.outer * channels * params),
            Some(_) => (params * channels, count * params * channels),
        };
        let mut partials = vec![0.0; all];

        let tasks = self
            .x
            .chunks(task)
            .zip(sources(self.grad_output, task))
            .zip(pieces(grad_x, task, count))
            .zip(pieces(&mut partials, piece, count))
            .collect();
        for_each_task(tasks, |number, (((x, grad_output), grad_x), partials)| {
            let mut scratch = workspace::take::<Buffer<E>>();
            let x = input::piece(level, self.normalization, number * task, x, &mut scratch);
            let pass = Pass { x, grad_output, ..self };
            let first = number * task / unit;
            let tile = spread.tile.as_ref().filter(|_| wants_params);
            let mut elements = vec![E::zero(); tile.map_or(0, |tile| tile.stride * params)];
            let sums = if tile.is_some() { Sums::Tile(&mut elements) } else { Sums::Planes(&mut *partials) };
            with_kept(|registers| {
                dispatch_at(level, Backward { pass, spread, first, grad_x, sums, registers });
            });
            workspace::keep(scratch);
            if let Some(tile) = tile {
                for (partials, sums) in partials.chunks_exact_mut(channels).zip(elements.chunks_exact(tile.stride)) {
                    fold(&sums[..tile.len], self.layout.inner, partials);
                }
            }
        });

        let mut sums = vec![0.0; if wants_params { params * channels } else { 0 }];
        if spread.tile.is_some() {
            for partials in partials.chunks_exact(sums.len().max(1)) {
                sums.iter_mut().zip(partials).for_each(|(sum, partial)| *sum += partial);
            }
        } else {
            for (plane, partials) in partials.chunks_exact(params.max(1)).enumerate() {
                for (param, partial) in partials.iter().enumerate() {
                    sums[param * channels + plane % channels] += partial;
                }
            }
        }
        sums
    }
}

/// Sums of the gradients of the parameters; empty unless one is wanted.
enum Sums<'a, E> {
    /// `[planes, parameters]`, the sums over planes.
    Planes(&'a mut [f64]),
    /// `[parameters, stride]`, the sums over tiles.
    Tile(&'a mut [E]),
}

/// Units from number `first` on, with their part of x and of the gradient of the output.
struct Backward<'a, E> {
    pass: Pass<'a, E>,
    spread: &'a Spread<'a, E>,
    first: usize,
    /// The gradient of x; empty unless wanted.
    grad_x: &'a mut [E],
    sums: Sums<'a, E>,
    registers: &'a mut Registers<E>,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Backward { pass, spread, grad_x, mut sums, .. } = self;
        let (params, list) = (pass.program.params, &pass.program.derivatives);
        let (own, registers) = self.registers.ready(params, list);
        let (unit, wants_x) = (spread.unit(), pass.wants(0));
        let mut from = 0;
        for (number, (x, grad_output)) in pass.x.chunks(unit).zip(sources(pass.grad_output, unit)).enumerate() {
            for (block, (x, grad_output)) in x.chunks(BLOCK).zip(sources(grad_output, BLOCK)).enumerate() {
                let (at, len) = (block * BLOCK, x.len());
                let grad_x = if wants_x { &mut grad_x[from..][..len] } else { &mut [][..] };
                from += len;
                let x = own.of::<E::Lane<S>>(x);
                spread.fill::<E::Lane<S>>(self.first + number, at, len, registers);
                run::<E::Lane<S>>(list, pass.wanted, len, x, registers, None);

                for param in (0..params).filter(|param| pass.wants(1 + param)) {
                    let derivative = read(list.outputs[1 + param], x, registers);
                    let grad_output = grad_output.unwrap_or(grad_x);
                    match &mut sums {
                        Sums::Planes(sums) => {
                            sums[number * params + param] += product::<E::Lane<S>>(derivative, grad_output)
                        }
                        Sums::Tile(sums) => {
                            // The distance between the sums is that between the parameters.
                            let stride = sums.len() / params;
                            let sums = &mut sums[param * stride + at..][..len];
                            for at in (0..len).step_by(<E::Lane<S>>::WIDTH) {
                                let gradient =
                                    load::<E::Lane<S>>(grad_output, at) * <E::Lane<S>>::load(&derivative[at..]);
                                deposit(gradient, sums, at, true);
                            }
                        }
                    }
                }
                if wants_x {
                    let derivative = read(list.outputs[0], x, registers);
                    for at in (0..len).step_by(<E::Lane<S>>::WIDTH) {
                        let grad_output = load::<E::Lane<S>>(grad_output.unwrap_or(grad_x), at);
                        deposit(grad_output * Lane::load(&derivative[at..]), grad_x, at, pass.accumulate);
                    }
                }
            }
        }
    }
}

/// The sum of the products of the first elements with those of a block.
#[inline(always)]
fn product<V: Lane>(block: &Elements<V::Elem>, elements: &[V::Elem]) -> f64 {
    // Element `i` is added to partial sum `i` modulo their number, at any register width.
    let count = widest::<V::Elem>();
    // The first `count / V::WIDTH` registers are in use.
    let mut sums = [V::of(0.0); MAX_WIDTH];
    for group in (0..elements.len()).step_by(count) {
        for (at, sum) in (group..elements.len()).step_by(V::WIDTH).zip(&mut sums[..count / V::WIDTH]) {
            let product = load::<V>(elements, at) * V::load(&block[at..]);
            *sum = *sum + planes::first(product, elements.len() - at);
        }
    }
    let mut partials = [V::Elem::default(); MAX_WIDTH];
    for (partials, sum) in partials[..count].chunks_exact_mut(V::WIDTH).zip(&sums) {
        sum.store(partials);
    }
    halve(&mut partials[..count]).wide()
}
