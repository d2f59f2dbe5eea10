//! The treatment of runs that an earlier command left in the output folder.

/// The treatment of records, checkpoints and weights that an earlier command left of the same runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Files of the same settings are used, and others are moved aside.
    Used,
    /// Files of the same settings are used, and others are an error.
    Required,
    /// All files are moved aside.
    Aside,
}
