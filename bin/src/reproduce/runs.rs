//! Tables as runs: planned, done one by one, kept, and put together.
//!
//! | file | what |
//! |---|---|
//! | [`config`] | what decides the numbers of a run |
//! | [`inspect`] | what is measured of a trained network |
//! | [`record`] | a finished run |
//! | [`names`] | what a record may name |
//! | [`store`] | both on disk, and trainings that can be interrupted |
//! | [`earlier`] | what becomes of runs that an earlier command left |
//! | [`aside`] | where runs of other settings go |
//! | [`work`] | a table whose runs can be done |
//! | [`planned`] | a run before it is done |
//! | [`plan`] | what a command would do, and how long it would take |
//! | [`merge`] | runs of several machines as one table |

pub mod aside;
pub mod config;
pub mod earlier;
pub mod inspect;
pub mod merge;
pub mod names;
pub mod plan;
pub mod planned;
pub mod record;
pub mod store;
pub mod work;
