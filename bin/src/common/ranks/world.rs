//! The ranks of MPI.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mpi::Threading;
use mpi::environment::{initialize_with_threading, processor_name};
use mpi::traits::Communicator;
use pvlu::shard::Ranks;

use super::courier::{End, Job, LINES, serve};
use super::folders;
use super::sharing::name_of;
use crate::common::error::CliError;
use crate::common::exit::PANICKED;
use crate::common::interrupt;
use crate::common::output::note_error;

/// All ranks that the launcher has started.
#[derive(Clone, Debug)]
pub struct World {
    rank: usize,
    count: usize,
    /// The one of the [`LINES`] that exchanges go over.
    line: usize,
    mpi: Arc<Mpi>,
}

/// The thread that calls MPI.
#[derive(Debug)]
struct Mpi {
    host: String,
    jobs: Mutex<Sender<Job>>,
    /// Until it is ended.
    thread: Mutex<Option<JoinHandle<()>>>,
    /// True once this rank ends.
    ends: AtomicBool,
}

impl World {
    /// Starts MPI.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if MPI does not know of as many ranks as the launcher has started processes, or does not
    /// allow for threads that do not call it.
    pub fn start(launched: usize) -> Result<Self, CliError> {
        let (jobs, asked) = channel();
        let (tell, told) = channel();
        let work = move || {
            let Some((universe, threading)) = initialize_with_threading(Threading::Funneled) else { return };
            let world = universe.world();
            let host = processor_name().unwrap_or_else(|_| "an unnamed machine".to_owned());
            // Nobody waits for it if the program has ended.
            let _ = tell.send((world.rank() as usize, world.size() as usize, threading, host));
            serve(&asked, &world);
        };
        let thread = thread::Builder::new().name("mpi".to_owned()).spawn(work);
        let thread = thread.map_err(|error| CliError::Usage(format!("a thread for MPI: {error}")))?;
        let (rank, count, threading, host) =
            told.recv().map_err(|_| CliError::Usage("MPI did not start".to_owned()))?;
        let refused = if count != launched {
            Some(format!(
                "the launcher has started {launched} processes, and MPI knows of {count}: start them with the mpirun \
                 of the MPI that this program is built with, or with srun --mpi=pmix"
            ))
        } else if threading < Threading::Funneled {
            Some("this MPI is built without threads: expected MPI_THREAD_FUNNELED".to_owned())
        } else {
            None
        };
        if let Some(refused) = refused {
            // So that the thread ends, and MPI with it.
            drop(jobs);
            let _ = thread.join();
            return Err(CliError::Usage(refused));
        }
        let mpi = Mpi { host, jobs: Mutex::new(jobs), thread: Mutex::new(Some(thread)), ends: AtomicBool::new(false) };
        Ok(Self { rank, count, line: 0, mpi: Arc::new(mpi) })
    }

    /// Name of the machine that this rank runs on.
    pub fn host(&self) -> &str {
        &self.mpi.host
    }

    /// Tells the other ranks that this one has ended, and how, and returns another one that has ended with an error, or
    /// goes on, with its number; if there are several, one that was not interrupted. MPI is ended.
    pub fn end(&self, end: End) -> Option<(usize, End)> {
        let own_failed = end.code != 0;
        let of_other = |(rank, end): (usize, End)| match end {
            // It leaves because this one has ended.
            End { follows: true, .. } if own_failed => None,
            End { follows: true, .. } => {
                Some((rank, End { text: "goes on where this one has ended".to_owned(), ..end }))
            }
            End { code, .. } => (code != 0).then_some((rank, end)),
        };
        let mut others: Vec<(usize, End)> = self.mpi.end(end).into_iter().filter_map(of_other).collect();
        let chosen = others.iter().position(|(_, end)| !interrupt::is_exit_code(end.code)).unwrap_or_default();
        (chosen < others.len()).then(|| others.swap_remove(chosen))
    }

    /// Ends this process after another one, which the first rank tells of.
    fn leave(&self, rank: usize, end: &End) -> ! {
        let code = end.code.max(1);
        self.mpi.end(End { code, follows: true, text: String::new() });
        folders::remove();
        if self.rank == 0 {
            let text = if end.code == 0 { "has ended where others go on" } else { &end.text };
            note_error(&format!("{}: {text}", name_of(rank)));
        }
        process::exit(if self.rank == 0 { code.into() } else { 0 })
    }
}

impl Mpi {
    /// Ends this rank, and returns the ends of the others. One thread comes through here, and ends the process: any
    /// other one waits for that.
    fn end(&self, end: End) -> Vec<(usize, End)> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { wait_for_the_end() };
        self.ends.store(true, Ordering::SeqCst);
        let (reply, received) = channel();
        self.ask(Job::End { end, reply });
        let ends = received.recv().unwrap_or_default();
        // A panic of it has been told.
        let _ = thread.join();
        ends
    }

    fn ask(&self, job: Job) {
        // If the thread has panicked, no reply will come.
        let _ = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job);
    }
}

fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn second(&self) -> Option<Arc<dyn Ranks>> {
        let line = self.line + 1;
        (line < LINES).then(|| Arc::new(Self { line, ..self.clone() }) as _)
    }

    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let (reply, received) = channel();
        self.mpi.ask(Job::Exchange { line: self.line, messages, reply });
        match received.recv() {
            Ok(Ok(messages)) => messages,
            Ok(Err((rank, end))) => self.leave(rank, &end),
            // Another thread ends this process.
            Err(_) if self.mpi.ends.load(Ordering::SeqCst) => wait_for_the_end(),
            Err(_) => process::exit(PANICKED.into()),
        }
    }
}
