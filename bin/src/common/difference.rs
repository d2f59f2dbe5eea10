//! How the configuration of a command differs from one that was kept.

/// Key of the version of the arithmetic: two of its versions give other digits for the same settings.
pub const NUMERICS: &str = "numerics";

/// In the place of a value that there is not.
pub const NONE: &str = "nothing";

/// Two configurations that should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key that differs: that of the arithmetic, or the first one.
    pub key: String,
    /// Of this command.
    pub here: String,
    /// Of what was kept.
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
    /// Both values, each after what it is of.
    pub fn between(&self, here: &str, kept: &str) -> String {
        format!("{here}: {} is {}, {kept}: {}", self.key, self.here, self.kept)
    }
}
