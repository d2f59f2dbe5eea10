//! An activation as a value: what a layer has to know of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::{Activation, MAX_PARAMS, Param, Written};
use crate::kernel::ParamArray;
use crate::kernel::cpu::activation::program::{Program, ProgramKernels};
use crate::kernel::cpu::activation::{Computation, Kernels};

/// An activation as a value: its name, its parameters and its kernels.
///
/// There is one for each [`Activation`] type, by [`Definition::of`], and whoever chooses an activation when the program
/// runs, by [`Chosen`](super::Chosen), hands them around. They live as long as the process.
pub struct Definition {
    name: &'static str,
    text: &'static str,
    params: Params,
    differentiates_from_output: bool,
    per_element: bool,
    cuda: Option<&'static str>,
    kernels: Source,
}

/// Where the parameters are listed.
#[derive(Clone, Copy)]
enum Params {
    /// By a type.
    Typed(fn() -> ParamList),
    /// Here.
    Listed(ParamList),
}

/// The parameters of an activation, in order: a slice of at most [`MAX_PARAMS`].
#[derive(Clone, Copy, Debug)]
pub struct ParamList {
    params: [Param; MAX_PARAMS],
    len: usize,
}

impl ParamList {
    /// The first [`MAX_PARAMS`] of these.
    fn of(params: &[Param]) -> Self {
        let mut list = Self { params: [Param::fixed("", 0.0); MAX_PARAMS], len: params.len().min(MAX_PARAMS) };
        list.params[..list.len].copy_from_slice(&params[..list.len]);
        list
    }
}

impl Deref for ParamList {
    type Target = [Param];

    fn deref(&self) -> &[Param] {
        &self.params[..self.len]
    }
}

/// What computes.
#[derive(Clone, Copy)]
enum Source {
    /// Kernels compiled for the formula of a type.
    Compiled { f32: fn() -> Kernels<f32>, f64: fn() -> Kernels<f64> },
    /// A list of operations.
    Written(&'static Program),
}

/// The definition of a type, as a constant.
struct Typed<A>(A);

impl<A: Activation> Typed<A> {
    const DEFINITION: &'static Definition = &Definition {
        name: A::NAME,
        text: A::NAME,
        params: Params::Typed(|| ParamList::of(A::PARAMS.as_slice())),
        differentiates_from_output: A::DIFFERENTIATES_FROM_OUTPUT,
        per_element: A::PER_ELEMENT && <A::Params<()> as ParamArray<()>>::LEN > 0,
        cuda: A::CUDA,
        kernels: Source::Compiled { f32: A::kernels_f32, f64: A::kernels_f64 },
    };
}

impl Definition {
    /// That of an activation type; of [`Chosen`](super::Chosen) that of ReLU, which it is until another one is chosen.
    pub fn of<A: Activation>() -> &'static Self {
        A::definition()
    }

    /// That of a type, from its constants.
    pub(super) const fn typed<A: Activation>() -> &'static Self {
        Typed::<A>::DEFINITION
    }

    /// That of a formula. The memory is never given back.
    pub(super) fn written(written: &Written) -> &'static Self {
        let leaked = |text: &str| -> &'static str { text.to_owned().leak() };
        let params: Vec<Param> = written
            .params()
            .iter()
            .map(|param| Param {
                name: leaked(&param.name),
                start: param.start,
                swapped: param.swapped,
                trained: param.trained,
            })
            .collect();
        Box::leak(Box::new(Self {
            name: leaked(written.name()),
            text: leaked(written.text()),
            params: Params::Listed(ParamList::of(&params)),
            differentiates_from_output: false,
            per_element: false,
            cuda: None,
            kernels: Source::Written(Box::leak(Box::new(written.program().clone()))),
        }))
    }

    /// The same activation with other values of its parameters at the start: `params` are its own but for those. Text
    /// is how a person writes it. The memory is never given back.
    pub(super) fn with_params(&self, text: String, params: &[Param]) -> &'static Self {
        Box::leak(Box::new(Self { text: text.leak(), params: Params::Listed(ParamList::of(params)), ..*self }))
    }

    /// Name in tables: `pvlu`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is asked for by, and what files say: the name, or more where more was written.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Names, start values and kinds of the parameters.
    pub fn params(&self) -> ParamList {
        match self.params {
            Params::Typed(params) => params(),
            Params::Listed(params) => params,
        }
    }

    /// See [`Activation::DIFFERENTIATES_FROM_OUTPUT`].
    pub fn differentiates_from_output(&self) -> bool {
        self.differentiates_from_output
    }

    /// Whether it has parameters, and each a value for every element of a map; see [`Activation::PER_ELEMENT`].
    pub fn is_per_element(&self) -> bool {
        self.per_element
    }

    /// See [`Activation::CUDA`].
    pub fn cuda(&self) -> Option<&'static str> {
        self.cuda
    }

    /// What computes it in `f32`.
    pub(super) fn computation_f32(&self) -> Computation<f32> {
        match self.kernels {
            Source::Compiled { f32, .. } => Computation::Compiled(f32()),
            Source::Written(program) => {
                static KERNELS: ProgramKernels<f32> = ProgramKernels::new();
                Computation::Written(program, &KERNELS)
            }
        }
    }

    /// What computes it in `f64`.
    pub(super) fn computation_f64(&self) -> Computation<f64> {
        match self.kernels {
            Source::Compiled { f64, .. } => Computation::Compiled(f64()),
            Source::Written(program) => {
                static KERNELS: ProgramKernels<f64> = ProgramKernels::new();
                Computation::Written(program, &KERNELS)
            }
        }
    }
}

/// Definitions are equal if they are written in the same way.
impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Definition {}
impl Hash for Definition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("text", &self.text).field("params", &&*self.params()).finish_non_exhaustive()
    }
}
