//! The shards of a process among those of all.

use std::ops::Range;
use std::sync::Arc;

use super::bytes::{bytes_of, numbers_of};
use super::ranks::Ranks;
use super::tree::{count_of, join, leaves, nodes_of};
use super::{Add, cut};
use crate::error::Error;

/// The shards of a batch, and the processes that compute them.
pub struct Team {
    /// Shards of all processes.
    pub shards: usize,
    ranks: Option<Arc<dyn Ranks>>,
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Team").field("shards", &self.shards).field("own", &self.own()).finish_non_exhaustive()
    }
}

impl Team {
    /// So many shards, of which each of some processes computes as many; one process if none are given.
    pub fn new(shards: usize, ranks: Option<Arc<dyn Ranks>>) -> Result<Self, Error> {
        let count = ranks.as_ref().map_or(1, |ranks| ranks.count());
        match shards.is_multiple_of(count) {
            true => Ok(Self { shards, ranks }),
            false => Err(Error::ShardsOfRanks { shards, ranks: count }),
        }
    }

    /// The shards of this process.
    pub fn own(&self) -> Range<usize> {
        match &self.ranks {
            None => 0..self.shards,
            Some(ranks) => self.of_rank(ranks.rank(), ranks.count()),
        }
    }

    fn of_rank(&self, rank: usize, count: usize) -> Range<usize> {
        let each = self.shards / count;
        rank * each..(rank + 1) * each
    }

    /// The numbers of all shards, added in the tree over them, from those of this process.
    pub fn reduced(&self, own: Vec<Vec<f64>>, add: Add) -> Vec<f64> {
        let mut nodes = join(leaves(self.own(), own), self.shards, add);
        if let Some(ranks) = &self.ranks {
            let count = ranks.count();
            let message = bytes_of(nodes.iter().map(|node| &node.value[..]));
            let all = ranks.gather(message).into_iter().enumerate().flat_map(|(rank, message)| {
                let range = self.of_rank(rank, count);
                let numbers: Vec<f64> = numbers_of(&message);
                let each = numbers.len() / count_of(range.clone(), self.shards);
                nodes_of(range, self.shards, numbers.chunks(each.max(1)).map(<[f64]>::to_vec).collect::<Vec<_>>())
            });
            nodes = join(all.collect(), self.shards, add);
        }
        nodes.into_iter().next().map(|node| node.value).unwrap_or_default()
    }

    /// As [`reduced`](Self::reduced), for more numbers than each process should get of each: those of each node of this
    /// process, added by `add` and as many in all. Each process adds a part of them.
    ///
    /// # Errors
    ///
    /// [`Error::ShardsDiffer`] if another process sends more or fewer of them.
    pub fn reduced_in_parts(&self, own: Vec<Vec<f32>>, add: &dyn Fn(&mut [f32], &[f32])) -> Result<Vec<f32>, Error> {
        let Some(ranks) = &self.ranks else { return Ok(own.into_iter().next().unwrap_or_default()) };
        let (count, len) = (ranks.count(), own.first().map_or(0, Vec::len));
        let parts = cut(len, count);
        let messages = parts.iter().map(|part| bytes_of(own.iter().map(|node| &node[part.clone()])));
        let of_part = parts.get(ranks.rank()).map_or(0, ExactSizeIterator::len) * size_of::<f32>();
        let mut nodes = Vec::new();
        for (rank, message) in ranks.exchange(messages.collect()).into_iter().enumerate() {
            let of_rank = self.of_rank(rank, count);
            let expected = count_of(of_rank.clone(), self.shards);
            if message.len() != of_part * expected {
                return Err(Error::ShardsDiffer);
            }
            let values = (0..expected).map(|node| numbers_of(&message[node * of_part..(node + 1) * of_part]));
            nodes.extend(nodes_of(of_rank, self.shards, values.collect::<Vec<Vec<f32>>>()));
        }
        let sum = join(nodes, self.shards, |mut left: Vec<f32>, right| {
            add(&mut left, &right);
            left
        });
        let sum = sum.into_iter().next().map(|node| node.value).unwrap_or_default();
        let sums: Vec<Vec<f32>> =
            ranks.gather(bytes_of([&sum[..]])).iter().map(|message| numbers_of(message)).collect();
        Ok(sums.concat())
    }

    /// Joins values of the shards of this process as far as the tree goes without those of others.
    pub fn joined<T>(&self, own: Vec<T>, add: impl FnMut(T, T) -> T) -> Vec<T> {
        join(leaves(self.own(), own), self.shards, add).into_iter().map(|node| node.value).collect()
    }

    /// True if there are other processes.
    pub fn has_ranks(&self) -> bool {
        self.ranks.is_some()
    }
}
