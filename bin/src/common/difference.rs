//! Differences between the configuration of a command and one that was kept.

/// Key of the version of the arithmetic: two of its versions give other digits for the same settings.
pub const NUMERICS: &str = "numerics";

/// Key of a reduced precision: it gives other digits for the same settings, and shows in what they are called.
pub const PRECISION: &str = "precision";

/// Key of the shards that batches are cut into: their number gives other digits for the same settings, and shows in
/// what they are called.
pub const SHARDS: &str = "shards";

/// Text for the value of a key that one of the configurations lacks.
pub const NONE: &str = "nothing";

/// A difference between two configurations that should be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key that differs: that of the arithmetic, of the precision or of the shards if it does, else the first one.
    pub key: String,
    /// Value in the configuration of this command.
    pub here: String,
    /// Value in the configuration that was kept.
    pub kept: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, here, kept } = self;
        match (key.as_str(), kept.as_str()) {
            (NUMERICS, NONE) => write!(f, "computed by a program before numerics version {here}"),
            (NUMERICS, kept) => write!(f, "computed with numerics version {kept}, here it is {here}"),
            _ => write!(f, "there {key} is {kept}, here {here}"),
        }
    }
}

impl Difference {
    /// Both values, each after the given name of its side.
    pub fn between(&self, here: &str, kept: &str) -> String {
        format!("{here}: {} is {}, {kept}: {}", self.key, self.here, self.kept)
    }
}
