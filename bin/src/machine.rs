//! What a result was computed on. Of this only the processor's instruction set changes a number but a time, and that is part of
//! a run's configuration.

use std::collections::BTreeMap;

/// System, processor, threads, and the version of this program.
pub fn describe() -> BTreeMap<String, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut machine = BTreeMap::from([
        ("system".to_owned(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("cores".to_owned(), cores.to_string()),
        ("threads".to_owned(), rayon::current_num_threads().to_string()),
        ("pvlu_zoo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    machine.extend(processor().map(|name| ("processor".to_owned(), name)));
    machine
}

/// The processor's name, where the system says it in a file.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
