//! The sum of gradients over all processes, part by part, while the backward pass goes on.
//!
//! The gradient of a parameter is finished when the first operation that reads it, which is the last one on the way
//! back, has added to it. Each shard then hands it out. Those that all shards of a process have handed out are added in
//! the tree and collected to a part of [`PART`] elements or more, which a thread exchanges with the other processes,
//! over [their second line](super::Ranks::second), while the shards go on. Which gradients are in which part depends on
//! the network alone, so that all processes exchange the same.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use dfdx::tensor::UniqueId;

use super::team::Team;
use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::kernel::cpu::tasks::alone;

/// Elements from which on gradients are exchanged: 1 MiB, which takes a network of 10 Gbit/s some thirty times as long
/// as a message of one byte.
pub const PART: usize = 1 << 18;

/// A receiver of the gradients of shards while their backward passes go on.
pub trait TakeGradients: Send + Sync {
    /// Takes the gradient of a parameter from a shard, to which no operation will add any more.
    fn take(&self, shard: usize, parameter: UniqueId, gradient: Vec<f32>);
}

/// The thread that exchanges parts. It ends with the last one who could hand it any.
#[derive(Debug)]
pub struct Exchanger(Mutex<Sender<Job>>);

/// The sums of this process over a part, one for each node, and where the sum over all processes goes.
type Job = (Vec<Vec<f32>>, Sender<Sum>);

/// The sum over all processes; an error if they sent what does not fit together.
type Sum = Result<Vec<f32>, Error>;

impl Exchanger {
    /// A thread that exchanges parts with the other processes of a team.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the system refuses a thread.
    pub fn start(team: Team) -> Result<Self, Error> {
        let (jobs, received) = channel::<Job>();
        let work = move || {
            for (nodes, reply) in received {
                let sum = alone(|| team.reduced_in_parts(nodes, &|to, from| (f32::cpu().add_assign)(to, from)));
                // Nobody waits for it where a shard had an error.
                let _ = reply.send(sum);
            }
        };
        let started = thread::Builder::new().name("gradients".to_owned()).spawn(work);
        started.map_err(|error| Error::Device(format!("a thread for gradients: {error}")))?;
        Ok(Self(Mutex::new(jobs)))
    }
}

/// The gradients of one backward pass of the shards of a process.
#[derive(Debug)]
pub struct Early {
    team: Arc<Team>,
    exchanger: Arc<Exchanger>,
    /// Elements from which on gradients are exchanged.
    enough: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Gradients that not all shards have handed out yet, of each shard.
    found: BTreeMap<UniqueId, Vec<Option<Vec<f32>>>>,
    /// Parameters of which all shards have handed out the gradient.
    done: BTreeSet<UniqueId>,
    /// True if a shard has handed out a gradient twice.
    twice: bool,
    /// Parameters of the present part with their numbers of elements, and their sums one after another, of each node.
    parameters: Vec<(UniqueId, usize)>,
    nodes: Vec<Vec<f32>>,
    /// The parameters of the parts that are with the exchanger.
    sent: Vec<Vec<(UniqueId, usize)>>,
    /// The sender of their sums, until there are no more parts.
    reply: Option<Sender<Sum>>,
    sums: Receiver<Sum>,
}

impl Early {
    /// For a pass over the shards of this process. Parts have so many elements or more, but for the last one.
    pub fn new(team: &Arc<Team>, exchanger: &Arc<Exchanger>, enough: usize) -> Self {
        let (reply, sums) = channel();
        let (found, done, twice, parameters, nodes, sent) = Default::default();
        let state = Mutex::new(State { found, done, twice, parameters, nodes, sent, reply: Some(reply), sums });
        Self { team: Arc::clone(team), exchanger: Arc::clone(exchanger), enough, state }
    }

    /// The sums over all shards of all processes, when all shards have handed out their gradients.
    ///
    /// # Errors
    ///
    /// [`Error::ShardsDiffer`] if they have not handed out the same.
    pub fn finish(&self) -> Result<BTreeMap<UniqueId, Vec<f32>>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.twice || !state.found.is_empty() {
            return Err(Error::ShardsDiffer);
        }
        if !state.parameters.is_empty() {
            state.send(&self.exchanger);
        }
        // So that the end of the exchanger would end the wait, too.
        state.reply = None;
        let mut all = BTreeMap::new();
        for parameters in take(&mut state.sent) {
            let sum = state.sums.recv().map_err(|_| Error::ShardsDiffer)??;
            let mut rest = &sum[..];
            for (parameter, len) in parameters {
                let (values, after) = rest.split_at_checked(len).ok_or(Error::ShardsDiffer)?;
                all.insert(parameter, values.to_vec());
                rest = after;
            }
        }
        Ok(all)
    }
}

impl State {
    /// Hands the present part to the thread that exchanges it.
    fn send(&mut self, exchanger: &Exchanger) {
        let jobs = exchanger.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = self.reply.clone() {
            // If the thread has panicked, no sum will come.
            let _ = jobs.send((take(&mut self.nodes), reply));
        }
        self.sent.push(take(&mut self.parameters));
    }
}

impl TakeGradients for Early {
    fn take(&self, shard: usize, parameter: UniqueId, gradient: Vec<f32>) {
        let Range { start, end } = self.team.own();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { found, done, twice, .. } = &mut *state;
        let of_shards = found.entry(parameter).or_insert_with(|| vec![None; end - start]);
        if let Some(of_shard) = of_shards.get_mut(shard - start) {
            *twice |= of_shard.replace(gradient).is_some();
        }
        if of_shards.iter().any(Option::is_none) {
            return;
        }
        *twice |= !done.insert(parameter);
        if *twice {
            return;
        }
        let of_shards = state.found.remove(&parameter).into_iter().flatten().flatten().collect();
        let sums = self.team.joined(of_shards, |mut left, right| {
            (f32::cpu().add_assign)(&mut left, &right);
            left
        });
        state.parameters.push((parameter, sums.first().map_or(0, Vec::len)));
        state.nodes.resize_with(sums.len(), Vec::new);
        for (node, sum) in state.nodes.iter_mut().zip(sums) {
            node.extend(sum);
        }
        if state.nodes.first().is_some_and(|node| node.len() >= self.enough) {
            state.send(&self.exchanger);
        }
    }
}
