//! The tables: their constants, the numbers that the paper prints, and the values chosen where it is silent.

pub mod budget;
pub mod from_scratch;
pub mod paper;
pub mod preset;
pub mod pretrained;
pub mod published;
pub mod values;

/// The arm that the others are compared to.
pub const BASE: &str = "relu";

/// The arm that the paper proposes: its comparison to [`BASE`] is the planned one of every table.
pub const PROPOSED: &str = "pvlu";
