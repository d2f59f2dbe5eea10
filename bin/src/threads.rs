//! The threads that kernels run on.

use crate::error::CliError;

/// Makes the given number of worker threads; without one, as many as `RAYON_NUM_THREADS` says or there are cores.
///
/// The calling thread is one of them: a kernel that is called from elsewhere hands its work over and sleeps until it is done, which
/// for the hundreds of short kernels of a step adds up to a twentieth of its time. A single thread stays apart, for it would
/// wait for the thread that loads batches while that waits for it.
pub fn start_threads(threads: Option<u16>) -> Result<(), CliError> {
    let variable = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|&threads| threads > 0);
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map(usize::from).or_else(variable).unwrap_or_else(cores);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = if threads > 1 { pool.use_current_thread() } else { pool };
    pool.build_global().map_err(|source| CliError::Threads { threads, source })?;
    #[cfg(target_os = "linux")]
    keep_apart(threads);
    Ok(())
}

/// Gives each worker a core of its own, where there are as many of both.
///
/// Workers sleep between kernels, some hundred times a step. Linux likes to wake a thread on the core of the one that wakes it,
/// and leaves it there for milliseconds: two workers then share a core while another is idle, and take twice as long. With
/// fewer workers than cores nothing is said, for other programs may want the rest: `--threads` then leaves the choice to the system.
#[cfg(target_os = "linux")]
fn keep_apart(threads: usize) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this_thread = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this_thread) else { return };
    let cores: Vec<_> = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true)).collect();
    if threads == 1 || cores.len() != threads {
        return;
    }
    rayon::broadcast(|worker| {
        let mut own = CpuSet::new();
        // Where it is refused, all is as it was.
        let _ = own.set(cores[worker.index()]).and_then(|()| sched_setaffinity(this_thread, &own));
    });
}
