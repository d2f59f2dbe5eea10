//! Instruction sets, and the choice among them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::OnceLock;

/// An instruction set that kernels are compiled for, from the slowest to the fastest. Results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The compiler's baseline, and fused multiply-add where the processor has it.
    Portable,
    /// AVX2 and FMA, in registers of 256 bits.
    Avx2,
    /// AVX-512 F, DQ, BW and VL, in registers of 512 bits.
    Avx512,
    /// The same, and AMX with bf16 for products of [reduced precision](crate::Precision). All else is as with AVX-512.
    Amx,
}

/// The environment variable that asks for a level.
const VARIABLE: &str = "PVLU_SIMD";

/// The error of a `PVLU_SIMD` that asks for a level which is unknown or which the machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelError {
    /// No level has this name.
    Unknown {
        /// The value of the variable.
        name: OsString,
    },
    /// The machine lacks the instructions.
    Missing {
        /// The level asked for.
        level: Level,
    },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ");
        let known = names(&Level::ALL);
        match self {
            LevelError::Unknown { name } => write!(f, "{VARIABLE}={name:?}: expected one of {known}")?,
            LevelError::Missing { level } => {
                write!(f, "{VARIABLE}={}: this machine lacks its instructions; known are {known}", level.name())?;
            }
        }
        write!(f, "; this machine has {}", names(&Level::available()))
    }
}

impl std::error::Error for LevelError {}

impl Level {
    /// All levels, slowest first.
    pub const ALL: [Level; 4] = [Level::Portable, Level::Avx2, Level::Avx512, Level::Amx];

    /// The name by which `PVLU_SIMD` asks for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Amx => "amx",
        }
    }

    /// The levels that this machine can run, slowest first.
    pub fn available() -> Vec<Level> {
        Level::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    pub(in crate::kernel::cpu) fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Level::Amx => Level::Avx512.is_available() && super::tiles::has_tiles(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The level that kernels use in this process: the one that `PVLU_SIMD` asked for when the first kernel ran, or
    /// without it the fastest that the machine has. If that level is unknown or missing it is the fastest too: kernels
    /// cannot fail, and compute the same at every level. A program that reports the error calls [`Level::requested`]
    /// when it starts.
    pub fn current() -> Level {
        #[cfg(test)]
        if let Some(level) = crate::kernel::cpu::testing::forced_level() {
            return level;
        }
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| Level::requested().ok().flatten().unwrap_or_else(Level::fastest))
    }

    /// The level that `PVLU_SIMD` asks for; `None` where it is not set.
    ///
    /// # Errors
    ///
    /// [`LevelError`] if its value is no level's name, or the machine lacks the level.
    pub fn requested() -> Result<Option<Level>, LevelError> {
        std::env::var_os(VARIABLE).map(|name| Level::named(&name, &Level::available())).transpose()
    }

    fn named(name: &OsStr, available: &[Level]) -> Result<Level, LevelError> {
        let level = Level::ALL.into_iter().find(|level| level.name() == name);
        let level = level.ok_or_else(|| LevelError::Unknown { name: name.to_owned() })?;
        if available.contains(&level) { Ok(level) } else { Err(LevelError::Missing { level }) }
    }

    fn fastest() -> Level {
        Level::ALL.into_iter().rfind(|level| level.is_available()).unwrap_or(Level::Portable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_had_by_its_name_alone() {
        for level in Level::ALL {
            assert_eq!(Level::named(OsStr::new(level.name()), &Level::ALL), Ok(level));
        }
        for name in ["", "AVX2", "avx512 ", "sse"] {
            let error = Level::named(OsStr::new(name), &Level::ALL).unwrap_err();
            assert_eq!(error, LevelError::Unknown { name: name.into() });
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("PVLU_SIMD={name:?}: expected one of portable, avx2, avx512, amx; ")),
                "{text}"
            );
            assert!(text.contains("this machine has portable"), "{text}");
        }
    }

    #[test]
    fn a_level_that_the_machine_lacks_is_an_error() {
        let error = Level::named(OsStr::new("avx512"), &[Level::Portable, Level::Avx2]).unwrap_err();
        assert_eq!(error, LevelError::Missing { level: Level::Avx512 });
        assert!(error.to_string().starts_with("PVLU_SIMD=avx512: this machine lacks its instructions; "), "{error}");
    }
}
