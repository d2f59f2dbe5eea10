//! Worker threads of the kernels.

use std::sync::OnceLock;

use crate::common::error::CliError;
use crate::common::ranks;

/// The most worker threads accepted: above the cores of any machine, and few enough that their stacks fit in memory.
pub const MAX_THREADS: i64 = 1024;

/// The environment variable that sets the number of threads.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Number of cores that this process may use by its affinity and control group, counted before its threads are bound to
/// cores.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Starts the given number of worker threads; without one, as many as `RAYON_NUM_THREADS` says or there are cores, of
/// which [ranks](crate::common::ranks) that share them take a part each.
///
/// The calling thread is one of them: a kernel that is called from another thread hands its work over and sleeps until
/// it is done, which for the hundreds of short kernels of a step adds up to a twentieth of its time. A single worker is
/// a separate thread, since the calling one may wait for the thread that loads batches while that waits for the worker.
///
/// # Errors
///
/// [`CliError::Usage`] if the variable is no number of threads.
pub fn start_threads(threads: Option<u16>) -> Result<(), CliError> {
    // Counted before threads are bound to cores.
    let cores = cores();
    let threads =
        threads.map(usize::from).or(requested()?).unwrap_or(ranks::share_of_cores(cores).min(MAX_THREADS as usize));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = if threads > 1 { pool.use_current_thread() } else { pool };
    pool.build_global().map_err(|source| CliError::Threads { threads, source })?;
    // Ranks that share cores would be bound to the same ones.
    #[cfg(target_os = "linux")]
    if ranks::share_of_cores(cores) == cores {
        binding::keep_apart(threads);
    }
    Ok(())
}

/// The number of threads in `RAYON_NUM_THREADS`, if it is set.
///
/// # Errors
///
/// [`CliError::Usage`] if it is no number that `--threads` takes. Rayon itself would ignore it, or start tens of
/// thousands of threads.
pub fn requested() -> Result<Option<usize>, CliError> {
    std::env::var_os(VARIABLE).map(|text| counted(&text.to_string_lossy())).transpose()
}

fn counted(text: &str) -> Result<usize, CliError> {
    let number = text.parse().ok().filter(|threads| (1..=MAX_THREADS as usize).contains(threads));
    number.ok_or_else(|| {
        CliError::Usage(format!("{VARIABLE}={text:?}: expected a number of threads from 1 to {MAX_THREADS}"))
    })
}

#[cfg(target_os = "linux")]
mod binding {
    use std::sync::OnceLock;

    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    /// The cores that the process may use, all of them and one by one.
    static ALLOWED: OnceLock<(CpuSet, Vec<usize>)> = OnceLock::new();

    /// Binds each worker to a core of its own, if there are as many workers as cores.
    ///
    /// Workers sleep between kernels, some hundred times a step. Linux prefers to wake a thread on the core of the one
    /// that wakes it, and leaves it there for milliseconds: two workers then share a core while another is idle, and
    /// take twice as long. With fewer workers than cores nothing is bound: other programs may use the rest, and the
    /// system places the workers.
    pub fn keep_apart(threads: usize) {
        let Ok(allowed) = sched_getaffinity(this_thread()) else { return };
        let cores: Vec<_> = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true)).collect();
        if threads == 1 || cores.len() != threads {
            return;
        }
        ALLOWED.get_or_init(|| (allowed, cores));
        // A thread inherits the binding of the one that makes it, and would then share its core. Threads for shards
        // that take turns share one.
        pvlu_zoo::data::on_thread_start(|number| match number {
            Some(number) => bind(number),
            None => {
                let _ = ALLOWED.get().map(|(allowed, _)| sched_setaffinity(this_thread(), allowed));
            }
        });
        rayon::broadcast(|worker| bind(worker.index()));
    }

    /// Binds this thread to a core. If the system refuses, it stays unbound.
    fn bind(number: usize) {
        let core = ALLOWED.get().and_then(|(_, cores)| cores.get(number % cores.len()));
        let mut own = CpuSet::new();
        let _ = core.map(|core| own.set(*core).and_then(|()| sched_setaffinity(this_thread(), &own)));
    }

    fn this_thread() -> Pid {
        Pid::from_raw(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_is_checked() {
        assert_eq!(counted("1").unwrap(), 1);
        assert_eq!(counted("1024").unwrap(), 1024);
        for text in ["", "0", "-1", "1025", "many", "2.0", " 2", "99999999999999999999"] {
            let CliError::Usage(message) = counted(text).unwrap_err() else { panic!("{text:?} is another error") };
            assert_eq!(message, format!("RAYON_NUM_THREADS={text:?}: expected a number of threads from 1 to 1024"));
        }
    }
}
