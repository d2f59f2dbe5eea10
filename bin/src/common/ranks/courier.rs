//! The thread of a rank that calls MPI, and the messages that it brings from rank to rank.
//!
//! Messages go over lines, which their tags tell. On a line the messages of a rank arrive in the order in which it
//! sent them; those of the first line do not wait until long ones of the second have arrived. A rank that ends says so
//! on all lines, so that each one that waits for a message of it hears of that, wherever it is.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use mpi::request::{LocalScope, Request, scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Equivalence, Source};
use typed_arena::Arena;

/// The number of lines between ranks.
pub const LINES: usize = 2;

/// The most bytes of a message that are sent at a time: MPI counts them in 31 bits.
const PIECE: usize = 1 << 30;

/// Bytes of messages from which on the second line waits until those that are on their way have arrived, and their
/// memory is freed.
const ENOUGH: usize = 1 << 28;

/// Time for which the thread looks for messages without a pause, since they mostly arrive within it.
const BUSY: Duration = Duration::from_micros(500);

/// Time between two looks after that.
const PAUSE: Duration = Duration::from_micros(50);

/// Kinds of pieces: of a message that goes on, the last one of a message, and the end of a rank. The tag of a piece is
/// its kind times the number of lines, and its line.
const MORE: usize = 0;
const LAST: usize = 1;
const END: usize = 2;

/// The end of a rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Exit code of its process.
    pub code: u8,
    /// True if it ends because another one has.
    pub follows: bool,
    /// The text of its error.
    pub text: String,
}

/// The messages of all ranks to this one, or the end of a rank that sends none any more.
pub type Received = Result<Vec<Vec<u8>>, (usize, End)>;

/// A request to the thread.
pub enum Job {
    /// Sends each rank a message over a line, and receives one from each.
    Exchange { line: usize, messages: Vec<Vec<u8>>, reply: Sender<Received> },
    /// Tells all ranks that this one ends, and receives the ends of all others.
    End { end: End, reply: Sender<Vec<(usize, End)>> },
}

/// A message or a part of one on its way; its bytes live as long as the scope.
type OnItsWay<'b, 's> = Request<'b, [u8], &'s LocalScope<'b>>;

/// Does what it is asked to do until this rank has ended, or none is left who could ask.
pub fn serve(jobs: &Receiver<Job>, world: &SimpleCommunicator) {
    let mut office = Office::new(world.rank() as usize, world.size() as usize);
    loop {
        if office.is_idle() {
            match jobs.recv() {
                Ok(job) => office.accept(job),
                Err(_) => return,
            }
        }
        let buffers = Arena::new();
        scope(|scope| office.bring(jobs, world, scope, &buffers));
        if office.has_ended() {
            return;
        }
        office.pause(jobs);
    }
}

/// Messages that are not on their way.
struct Office {
    rank: usize,
    lines: [Line; LINES],
    /// The receiver of the ends of the other ranks, once this one ends.
    ending: Option<Sender<Vec<(usize, End)>>>,
    /// The time at which a piece was sent or arrived last.
    last_piece: Instant,
}

/// Pieces that are to be sent over a line, and messages that have arrived on it.
#[derive(Default)]
struct Line {
    /// Pieces to send, with the rank that they go to and their kind.
    outgoing: VecDeque<(usize, usize, Vec<u8>)>,
    of_ranks: Vec<Arrived>,
    /// Receivers of the next messages, in their order.
    waiting: VecDeque<Sender<Received>>,
}

/// Messages that have arrived from a rank on a line.
#[derive(Clone, Default)]
struct Arrived {
    messages: VecDeque<Vec<u8>>,
    /// The pieces of a message that goes on.
    part: Vec<u8>,
    end: Option<End>,
}

impl Office {
    fn new(rank: usize, count: usize) -> Self {
        let line = || Line { of_ranks: vec![Arrived::default(); count], ..Line::default() };
        Self { rank, lines: std::array::from_fn(|_| line()), ending: None, last_piece: Instant::now() }
    }

    /// True if nobody waits for anything.
    fn is_idle(&self) -> bool {
        self.ending.is_none() && self.lines.iter().all(|line| line.outgoing.is_empty() && line.waiting.is_empty())
    }

    /// Numbers of the other ranks.
    fn others(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let (rank, count) = (self.rank, self.lines[0].of_ranks.len());
        (0..count).filter(move |other| *other != rank)
    }

    fn accept(&mut self, job: Job) {
        self.last_piece = Instant::now();
        match job {
            // The others wait for nothing after the end; the one who asks waits for that of the process.
            Job::Exchange { .. } if self.ending.is_some() => {}
            Job::Exchange { line, messages, reply } => {
                for (rank, message) in messages.into_iter().enumerate() {
                    if rank == self.rank {
                        self.lines[line].of_ranks[rank].messages.push_back(message);
                    } else {
                        let pieces = pieces(message, PIECE).map(|(kind, piece)| (rank, kind, piece));
                        self.lines[line].outgoing.extend(pieces);
                    }
                }
                self.lines[line].waiting.push_back(reply);
            }
            Job::End { end, reply } => {
                let End { code, follows, text } = end;
                let message = [&[code, u8::from(follows)], text.as_bytes()].concat();
                let others = self.others();
                for line in &mut self.lines {
                    line.outgoing.extend(others.clone().map(|rank| (rank, END, message.clone())));
                    line.waiting.clear();
                }
                self.ending = Some(reply);
            }
        }
    }

    /// Brings messages until none is on its way.
    fn bring<'b>(
        &mut self,
        jobs: &Receiver<Job>,
        world: &SimpleCommunicator,
        scope: &LocalScope<'b>,
        buffers: &'b Arena<Vec<u8>>,
    ) {
        let (mut sent, mut bytes): (Vec<OnItsWay<'b, '_>>, usize) = (Vec::new(), 0);
        let count = self.lines[0].of_ranks.len();
        let mut coming: Vec<VecDeque<(usize, OnItsWay<'b, '_>)>> =
            (0..LINES * count).map(|_| VecDeque::new()).collect();
        loop {
            for (number, line) in self.lines.iter_mut().enumerate() {
                while (number == 0 || bytes < ENOUGH)
                    && let Some((rank, kind, piece)) = line.outgoing.pop_front()
                {
                    bytes += piece.len();
                    let (piece, tag) = (&buffers.alloc(piece)[..], kind * LINES + number);
                    sent.push(world.process_at_rank(rank as i32).immediate_send_with_tag(scope, piece, tag as i32));
                    self.last_piece = Instant::now();
                }
            }
            while let Some((message, status)) = world.any_process().immediate_matched_probe() {
                let len = status.count(u8::equivalent_datatype()) as usize;
                bytes += len;
                let piece = &mut buffers.alloc(vec![0; len])[..];
                let (kind, line) = (status.tag() as usize / LINES, status.tag() as usize % LINES);
                let of_rank = &mut coming[line * count + status.source_rank() as usize];
                of_rank.push_back((kind, message.immediate_matched_receive_into(scope, piece)));
            }
            sent = sent.into_iter().filter_map(|piece| piece.test().err()).collect();
            for (place, of_rank) in coming.iter_mut().enumerate() {
                while let Some((kind, first)) = of_rank.pop_front() {
                    match first.test_with_data() {
                        Ok((_, piece)) => self.lines[place / count].of_ranks[place % count].push(kind, piece),
                        Err(first) => {
                            of_rank.push_front((kind, first));
                            break;
                        }
                    }
                    self.last_piece = Instant::now();
                }
            }
            self.lines.iter_mut().for_each(Line::deliver);
            if sent.is_empty() && coming.iter().all(VecDeque::is_empty) {
                return;
            }
            self.pause(jobs);
        }
    }

    /// Waits until it is time to look for messages again, or for a job.
    fn pause(&mut self, jobs: &Receiver<Job>) {
        // The second line is for what shards compute on beside.
        let urgent = self.ending.is_some() || !self.lines[0].waiting.is_empty();
        let busy = urgent && self.last_piece.elapsed() < BUSY;
        let job = if busy { jobs.try_recv().ok() } else { jobs.recv_timeout(PAUSE).ok() };
        match job {
            Some(job) => self.accept(job),
            None if busy => yield_now(),
            None => {}
        }
    }

    /// True if all ranks have ended, of which those who wait for that are told.
    fn has_ended(&mut self) -> bool {
        let mut ends: Vec<Option<(usize, End)>> = Vec::new();
        for line in &self.lines {
            ends.extend(self.others().map(|rank| line.of_ranks[rank].end.clone().map(|end| (rank, end))));
        }
        if self.ending.is_none() || ends.iter().any(Option::is_none) {
            return false;
        }
        // As many on each line.
        ends.truncate(ends.len() / LINES);
        if let Some(reply) = self.ending.take() {
            // The one who waits may have been ended meanwhile.
            let _ = reply.send(ends.into_iter().flatten().collect());
        }
        true
    }
}

impl Line {
    /// Hands out messages that have arrived from all ranks, or the end of one that sends none.
    fn deliver(&mut self) {
        while !self.waiting.is_empty() {
            let ended = |(rank, arrived): (usize, &Arrived)| match &arrived.end {
                Some(end) if arrived.messages.is_empty() => Some((rank, end.clone())),
                _ => None,
            };
            let received = if let Some(ended) = self.of_ranks.iter().enumerate().find_map(ended) {
                Err(ended)
            } else if self.of_ranks.iter().any(|arrived| arrived.messages.is_empty()) {
                return;
            } else {
                Ok(self.of_ranks.iter_mut().filter_map(|arrived| arrived.messages.pop_front()).collect())
            };
            if let Some(reply) = self.waiting.pop_front() {
                // As above.
                let _ = reply.send(received);
            }
        }
    }
}

impl Arrived {
    fn push(&mut self, kind: usize, piece: &[u8]) {
        match (kind, piece) {
            (END, [code, follows, text @ ..]) => {
                let (follows, text) = (*follows != 0, String::from_utf8_lossy(text).into_owned());
                self.end = Some(End { code: *code, follows, text });
            }
            (MORE, piece) => self.part.extend_from_slice(piece),
            (_, piece) => {
                let mut message = std::mem::take(&mut self.part);
                message.extend_from_slice(piece);
                self.messages.push_back(message);
            }
        }
    }
}

/// The pieces of so many bytes at most that a message is sent in, with their kinds.
fn pieces(mut message: Vec<u8>, longest: usize) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    while message.len() > longest {
        let rest = message.split_off(longest);
        pieces.push((MORE, std::mem::replace(&mut message, rest)));
    }
    pieces.push((LAST, message));
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_message_in_pieces_arrives_as_it_was() {
        let mut arrived = Arrived::default();
        let messages: Vec<Vec<u8>> = [0, 1, 4, 5, 12, 13].map(|len| (0..len).collect()).to_vec();
        for message in &messages {
            let pieces: Vec<_> = pieces(message.clone(), 4).collect();
            assert_eq!(pieces.len(), message.len().div_ceil(4).max(1));
            pieces.iter().for_each(|(kind, piece)| arrived.push(*kind, piece));
        }
        assert_eq!(arrived.messages, messages);
        assert!(arrived.part.is_empty() && arrived.end.is_none());
    }

    /// Each exchange is handed the next message of each rank, and an end after all messages before it.
    #[test]
    fn messages_are_handed_out_together_and_an_end_after_them() {
        let mut line = Line { of_ranks: vec![Arrived::default(); 2], ..Line::default() };
        let wait = |line: &mut Line| {
            let (reply, received) = channel();
            line.waiting.push_back(reply);
            line.deliver();
            received
        };
        let first = wait(&mut line);
        line.of_ranks[1].push(LAST, &[7]);
        line.of_ranks[1].push(END, &[3, 1, b'n', b'o']);
        line.deliver();
        assert!(first.try_recv().is_err(), "nothing has come from rank 0");
        line.of_ranks[0].push(LAST, &[5]);
        line.of_ranks[0].push(LAST, &[6]);
        line.deliver();
        assert_eq!(first.try_recv(), Ok(Ok(vec![vec![5], vec![7]])));
        let end = End { code: 3, follows: true, text: "no".to_owned() };
        for _ in 0..2 {
            assert_eq!(wait(&mut line).try_recv(), Ok(Err((1, end.clone()))), "of each exchange");
        }
    }

    #[test]
    fn a_rank_has_ended_when_all_have_on_all_lines() {
        let (jobs, mut office) = (channel::<Job>().1, Office::new(1, 3));
        assert!(office.is_idle() && !office.has_ended());
        let (reply, exchanged) = channel();
        office.accept(Job::Exchange { line: 1, messages: vec![vec![1], vec![2], vec![3]], reply });
        // Its own message does not go anywhere.
        let sent =
            |office: &mut Office| office.lines.each_mut().map(|line| line.outgoing.drain(..).collect::<Vec<_>>());
        assert_eq!(sent(&mut office), [vec![], vec![(0, LAST, vec![1]), (2, LAST, vec![3])]]);
        assert_eq!(office.lines[1].of_ranks[1].messages, [[2]]);
        let (reply, ended) = channel();
        office.accept(Job::End { end: End { code: 4, follows: false, text: "x".to_owned() }, reply });
        let ends = [0, 2].map(|rank| (rank, END, vec![4, 0, b'x']));
        assert_eq!(sent(&mut office), [ends.clone(), ends]);
        assert!(exchanged.recv().is_err(), "it is told that there will be none");
        // Another thread comes to its exchange only now, and the others have nothing to receive it by.
        let (reply, exchanged) = channel();
        office.accept(Job::Exchange { line: 0, messages: vec![vec![1]; 3], reply });
        assert!(exchanged.recv().is_err());
        assert_eq!(sent(&mut office), [[], []]);
        for line in 0..LINES {
            for rank in [2, 0] {
                assert!(!office.has_ended());
                office.pause(&jobs);
                office.lines[line].of_ranks[rank].push(END, &[rank as u8, 0]);
            }
        }
        assert!(office.has_ended());
        let end = |code| End { code, follows: false, text: String::new() };
        assert_eq!(ended.try_recv(), Ok(vec![(0, end(0)), (2, end(2))]));
    }
}
