//! What the tables are: their constants, what the paper prints of them, and what was chosen where it is silent.

pub mod budget;
pub mod from_scratch;
pub mod paper;
pub mod preset;
pub mod pretrained;
pub mod published;
pub mod set;
pub mod values;
