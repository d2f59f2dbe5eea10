//! Tables as runs: planned, done one by one, kept, and put together.
//!
//! | file | content |
//! |---|---|
//! | [`config`] | the configuration that decides the numbers of a run |
//! | [`decimal`] | numbers that files hold as texts |
//! | [`inspect`] | activation parameters and dead channels of a trained network |
//! | [`record`] | a finished run |
//! | [`names`] | checks of the names in a record |
//! | [`store`] | records and checkpoints on disk, and trainings that can be interrupted |
//! | [`earlier`] | the treatment of runs that an earlier command left |
//! | [`aside`] | the folder to which files of other settings are moved |
//! | [`work`] | a table whose runs can be done |
//! | [`planned`] | a run before it is done |
//! | [`plan`] | the runs of a command without doing them, and their estimated time |
//! | [`merge`] | runs of several machines as one table |

pub mod aside;
pub mod config;
pub mod decimal;
pub mod earlier;
pub mod inspect;
pub mod merge;
pub mod names;
pub mod plan;
pub mod planned;
pub mod record;
pub mod store;
pub mod work;
