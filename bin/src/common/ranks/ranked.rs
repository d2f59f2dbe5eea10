//! Commands of which some are done by several ranks.

use std::path::PathBuf;

/// Arguments of a program whose commands may run on several ranks.
pub trait Ranked {
    /// The paths that the command writes to; `None` of a command that several ranks do not share.
    fn outputs(&mut self) -> Option<Vec<&mut PathBuf>>;
}
