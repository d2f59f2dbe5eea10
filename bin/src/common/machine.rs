//! Description of the machine that computes a result. It changes no number but the times.

use std::collections::BTreeMap;

use pvlu::kernel::cpu::simd::Level;

use crate::common::error::CliError;
use crate::common::threads;

/// System, processor, cores that the process may use, threads, instruction set, and the version of this program.
pub fn describe() -> BTreeMap<String, String> {
    let mut machine = BTreeMap::from([
        ("system".to_owned(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("cores".to_owned(), threads::cores().to_string()),
        ("threads".to_owned(), rayon::current_num_threads().to_string()),
        ("simd".to_owned(), Level::current().name().to_owned()),
        ("pvlu_zoo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    machine.extend(processor().map(|name| ("processor".to_owned(), name)));
    machine
}

/// Checks the instruction set and number of threads that environment variables ask for.
///
/// # Errors
///
/// [`CliError::Usage`] if `PVLU_SIMD` is no instruction set, or one that this machine lacks, or `RAYON_NUM_THREADS` no
/// number of threads.
pub fn check() -> Result<(), CliError> {
    Level::requested().map_err(|error| CliError::Usage(error.to_string()))?;
    threads::requested().map(drop)
}

/// The processor's name from `/proc/cpuinfo`, on systems that have it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
