//! An activation as a value: what a layer has to know of it.

use std::any::TypeId;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::param::{MAX_PARAMS, Param};
use crate::kernel::cpu::activation::program::{Program, ProgramKernels};
use crate::kernel::cpu::activation::{Computation, Kernels};

/// An activation as a value: its name, its parameters and its kernels.
///
/// There is one for each [`Activation`](super::Activation) type, by [`Definition::of`]. A program that chooses an
/// activation when it runs,
/// by [`Chosen`](super::Chosen), passes them on. They live as long as the process.
pub struct Definition {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) params: Params,
    pub(super) differentiates_from_output: bool,
    pub(super) per_element: bool,
    pub(super) cuda: Option<&'static str>,
    pub(super) kernels: Source,
}

/// Source of the list of parameters.
#[derive(Clone, Copy)]
pub(super) enum Params {
    /// The constants of an [`Activation`](super::Activation) type.
    Typed(fn() -> ParamList),
    /// A list that was made when the program ran.
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
    pub(super) fn of(params: &[Param]) -> Self {
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

/// Source of the kernels.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Kernels compiled for the formula of a type.
    Compiled { activation: fn() -> TypeId, f32: fn() -> Kernels<f32>, f64: fn() -> Kernels<f64> },
    /// A list of operations.
    Written(&'static Program),
}

impl Definition {
    /// The definition of the formula that a program computes. The memory is never given back.
    pub(super) fn of_program(name: &str, text: &str, params: &[Param], program: Program) -> &'static Self {
        Box::leak(Box::new(Self {
            name: name.to_owned().leak(),
            text: text.to_owned().leak(),
            params: Params::Listed(ParamList::of(params)),
            differentiates_from_output: false,
            per_element: false,
            cuda: None,
            kernels: Source::Written(Box::leak(Box::new(program))),
        }))
    }

    /// The same activation with other values of its parameters at the start: `params` are its own but for those. Text
    /// is how a person writes it. The memory is never given back.
    pub(super) fn with_params(&self, text: String, params: &[Param]) -> &'static Self {
        Box::leak(Box::new(Self { text: text.leak(), params: Params::Listed(ParamList::of(params)), ..*self }))
    }

    /// True if both are of one [`Activation`](super::Activation) type, whatever values their parameters start with.
    pub fn is_of_the_type_of(&self, other: &Self) -> bool {
        match (self.kernels, other.kernels) {
            (Source::Compiled { activation: ours, .. }, Source::Compiled { activation: theirs, .. }) => {
                ours() == theirs()
            }
            _ => false,
        }
    }

    /// Name in tables: `pvlu`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text that asks for this activation, which files hold: the name, or more where more was written.
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

    /// True if the derivatives at f(x) are those at x; see
    /// [`Activation::DIFFERENTIATES_FROM_OUTPUT`](super::Activation::DIFFERENTIATES_FROM_OUTPUT).
    pub fn differentiates_from_output(&self) -> bool {
        self.differentiates_from_output
    }

    /// True if it has parameters, and each a value for every element of a map; see
    /// [`Activation::PER_ELEMENT`](super::Activation::PER_ELEMENT).
    pub fn is_per_element(&self) -> bool {
        self.per_element
    }

    /// The name of its CUDA kernels, if there are any; see [`Activation::CUDA`](super::Activation::CUDA).
    pub fn cuda(&self) -> Option<&'static str> {
        self.cuda
    }

    /// The operations that compute it, if it is written as text.
    pub fn program(&self) -> Option<&'static Program> {
        match self.kernels {
            Source::Compiled { .. } => None,
            Source::Written(program) => Some(program),
        }
    }

    /// Kernels or operations that compute it in `f32`.
    pub(super) fn computation_f32(&self) -> Computation<f32> {
        match self.kernels {
            Source::Compiled { f32, .. } => Computation::Compiled(f32()),
            Source::Written(program) => {
                static KERNELS: ProgramKernels<f32> = ProgramKernels::new();
                Computation::Written(program, &KERNELS)
            }
        }
    }

    /// Kernels or operations that compute it in `f64`.
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
