//! The tables: their constants, the numbers that the paper prints, and the values chosen where it is silent.

pub mod budget;
pub mod from_scratch;
pub mod paper;
pub mod preset;
pub mod pretrained;
pub mod published;
pub mod values;
