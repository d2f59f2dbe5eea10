//! The ranks of MPI.

use std::process;
use std::sync::{Mutex, PoisonError};

use mpi::Threading;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::{Universe, initialize_with_threading, processor_name};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use pvlu::shard::Ranks;

use super::folders;
use super::sharing::name_of;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::output::note_error;

/// The most bytes that a rank sends or receives at a time: MPI counts them in 31 bits.
const AT_A_TIME: usize = 1 << 30;

/// MPI until it is ended.
static UNIVERSE: Mutex<Option<Universe>> = Mutex::new(None);

/// All ranks that the launcher has started.
#[derive(Debug)]
pub struct World {
    rank: usize,
    count: usize,
}

/// The end of a rank: its exit code, and what it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub code: u8,
    pub text: String,
}

/// The messages of a rank in an exchange.
enum Sent {
    Messages(Vec<Vec<u8>>),
    /// It has come to its end, and sends nothing any more.
    End(End),
}

/// The message that a rank got from another one in an exchange.
enum Received {
    Message(Vec<u8>),
    End(End),
}

impl World {
    /// Starts MPI.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if MPI does not know of as many ranks as the launcher has started processes, or lets no
    /// other thread than the first call it.
    pub fn start(launched: usize) -> Result<Self, CliError> {
        let (universe, threading) = initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| CliError::Usage("MPI was started twice".to_owned()))?;
        let world = universe.world();
        let (rank, count) = (world.rank() as usize, world.size() as usize);
        *UNIVERSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(universe);
        if count != launched {
            return Err(CliError::Usage(format!(
                "the launcher has started {launched} processes, and MPI knows of {count}: start them with the mpirun \
                 of the MPI that this program is built with, or with srun --mpi=pmix"
            )));
        }
        if threading < Threading::Serialized {
            return Err(CliError::Usage(
                "this MPI is built without threads: expected MPI_THREAD_SERIALIZED".to_owned(),
            ));
        }
        Ok(Self { rank, count })
    }

    /// Name of the machine that this rank runs on.
    pub fn host() -> String {
        processor_name().unwrap_or_else(|_| "an unnamed machine".to_owned())
    }

    /// Tells the other ranks that this one has ended, and how, and returns another one that has ended with an error, or
    /// goes on, with its number; if there are several, one that was not interrupted. MPI is ended.
    pub fn end(&self, end: End) -> Option<(usize, End)> {
        let own_failed = end.code != 0;
        let of_other = |(rank, received)| match received {
            // It leaves now, since this one has ended.
            Received::Message(_) if own_failed => None,
            Received::Message(_) => Some((rank, End { code: 1, text: "goes on where this one has ended".to_owned() })),
            Received::End(end) => (rank != self.rank && end.code != 0).then_some((rank, end)),
        };
        let mut others: Vec<(usize, End)> =
            self.swap(&Sent::End(end)).into_iter().enumerate().filter_map(of_other).collect();
        stop();
        let chosen = others.iter().position(|(_, end)| !interrupt::is_exit_code(end.code)).unwrap_or_default();
        (chosen < others.len()).then(|| others.swap_remove(chosen))
    }

    /// Sends each rank a message, or all of them the end, and receives what they send.
    fn swap(&self, sent: &Sent) -> Vec<Received> {
        let world = SimpleCommunicator::world();
        let of_end = match sent {
            Sent::Messages(_) => None,
            Sent::End(End { code, text }) => Some([&[*code], text.as_bytes()].concat()),
        };
        let message_to = |rank: usize| -> &[u8] {
            match (sent, &of_end) {
                (Sent::Messages(messages), _) => messages.get(rank).map_or(&[], Vec::as_slice),
                (Sent::End(_), end) => end.as_deref().unwrap_or_default(),
            }
        };
        // Each tells each of them whether it has ended, how much it will send to that one, and to any one at most.
        let longest = (0..self.count).map(|rank| message_to(rank).len()).max().unwrap_or_default();
        let head = |rank| [u64::from(of_end.is_some()), message_to(rank).len() as u64, longest as u64];
        let heads: Vec<u64> = (0..self.count).flat_map(head).collect();
        let mut from: Vec<u64> = vec![0; heads.len()];
        world.all_to_all_into(&heads[..], &mut from[..]);
        let from: Vec<&[u64]> = from.chunks(3).collect();
        let longest = from.iter().map(|head| head[2] as usize).max().unwrap_or_default();
        let mut received: Vec<Vec<u8>> = from.iter().map(|head| Vec::with_capacity(head[1] as usize)).collect();
        let step = AT_A_TIME / self.count;
        for begin in (0..longest).step_by(step) {
            let part = |message: usize| begin.min(message)..(begin + step).min(message);
            let to: Vec<&[u8]> = (0..self.count).map(message_to).map(|message| &message[part(message.len())]).collect();
            // Open MPI takes the address of an empty vector, which is 1, for `MPI_IN_PLACE`: so both have room for a
            // byte.
            let mut send = Vec::with_capacity(to.iter().map(|part| part.len()).sum::<usize>().max(1));
            to.iter().for_each(|part| send.extend_from_slice(part));
            let send_counts = counts(to.iter().map(|part| part.len()));
            let send_starts = starts(&send_counts);
            let receive_counts = counts(from.iter().map(|head| part(head[1] as usize).len()));
            let receive_starts = starts(&receive_counts);
            let len = receive_counts.iter().map(|&count| count as usize).sum::<usize>();
            let mut buffer = Vec::with_capacity(len.max(1));
            buffer.resize(len, 0_u8);
            let sent = Partition::new(&send[..], &send_counts[..], &send_starts[..]);
            let mut into = PartitionMut::new(&mut buffer[..], &receive_counts[..], &receive_starts[..]);
            world.all_to_all_varcount_into(&sent, &mut into);
            let mut rest = &buffer[..];
            for (message, &count) in received.iter_mut().zip(&receive_counts) {
                let (part, after) = rest.split_at(count as usize);
                message.extend_from_slice(part);
                rest = after;
            }
        }
        let ended = from.iter().map(|head| head[0] != 0);
        let read = |(message, ended): (Vec<u8>, bool)| match message.split_first() {
            Some((&code, text)) if ended => {
                Received::End(End { code, text: String::from_utf8_lossy(text).into_owned() })
            }
            _ => Received::Message(message),
        };
        received.into_iter().zip(ended).map(read).collect()
    }

    /// Ends this process after another one, which the first rank tells of.
    fn leave(&self, rank: usize, end: &End) -> ! {
        stop();
        folders::remove();
        if self.rank == 0 {
            let text = if end.code == 0 { "has ended where others go on" } else { &end.text };
            note_error(&format!("{}: {text}", name_of(rank)));
        }
        process::exit(if self.rank == 0 { end.code.max(1).into() } else { 0 })
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let (mut all, mut ended) = (Vec::with_capacity(self.count), Vec::new());
        for (rank, received) in self.swap(&Sent::Messages(messages)).into_iter().enumerate() {
            match received {
                Received::Message(message) => all.push(message),
                Received::End(end) => ended.push((rank, end)),
            }
        }
        if let Some((rank, end)) = ended.first() {
            self.leave(*rank, end);
        }
        all
    }
}

/// Ends MPI. All ranks have to come here.
fn stop() {
    drop(UNIVERSE.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Lengths as MPI counts them, none of which is above [`AT_A_TIME`].
fn counts(lengths: impl Iterator<Item = usize>) -> Vec<i32> {
    lengths.map(|len| i32::try_from(len).unwrap_or(i32::MAX)).collect()
}

/// The beginning of each part in a buffer that holds them one after another.
fn starts(counts: &[i32]) -> Vec<i32> {
    counts.iter().scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect()
}
