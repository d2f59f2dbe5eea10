//! The other ranks, as far as a rank has to know of them.

use std::sync::{Arc, OnceLock};

use pvlu::shard::Ranks;

use crate::common::error::CliError;

/// The processes of this command, if there are several.
pub(super) static PARTY: OnceLock<Party> = OnceLock::new();

pub(super) struct Party {
    pub ranks: Arc<dyn Ranks>,
    /// Names of the machines that they run on.
    pub hosts: Vec<String>,
    /// Processes that share the cores of this one, itself included.
    pub on_these_cores: usize,
}

/// Number of processes that do this command together.
pub fn count() -> usize {
    PARTY.get().map_or(1, |party| party.ranks.count())
}

/// True for the process that writes the files that last.
pub fn is_first() -> bool {
    PARTY.get().is_none_or(|party| party.ranks.rank() == 0)
}

/// The part of so many cores that is this process's, at least one.
pub fn share_of_cores(cores: usize) -> usize {
    PARTY.get().map_or(cores, |party| (cores / party.on_these_cores).max(1))
}

/// Makes sure that named texts, such as a configuration, are the same on all ranks.
///
/// # Errors
///
/// [`CliError::RanksDiffer`] with the first text that is not, the same error on all of them.
pub fn agree<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), CliError> {
    let Some(party) = PARTY.get() else { return Ok(()) };
    let own: Vec<(&str, &str)> = texts.into_iter().collect();
    let said = party.ranks.gather(serde_json::json!(own).to_string().into_bytes());
    let said: Vec<Texts> = said.iter().map(|bytes| serde_json::from_slice(bytes).unwrap_or_default()).collect();
    match first_difference(&said) {
        None => Ok(()),
        Some((rank, what, [expected, found])) => {
            Err(CliError::RanksDiffer { name: name_of(rank), what, expected, found })
        }
    }
}

/// Numbers and texts that are found in so many pieces of work, of which each rank does some: all of them, on all ranks,
/// by their numbers.
///
/// # Errors
///
/// That of the first piece of this rank that has one.
pub fn found_in_pieces(
    pieces: usize,
    work: &mut dyn FnMut(usize) -> Result<Vec<(usize, String)>, CliError>,
) -> Result<Vec<(usize, String)>, CliError> {
    found_among(PARTY.get().map(|party| &*party.ranks), pieces, work)
}

fn found_among(
    ranks: Option<&dyn Ranks>,
    pieces: usize,
    work: &mut dyn FnMut(usize) -> Result<Vec<(usize, String)>, CliError>,
) -> Result<Vec<(usize, String)>, CliError> {
    let (rank, count) = ranks.map_or((0, 1), |ranks| (ranks.rank(), ranks.count()));
    let mut found = Vec::new();
    for piece in (rank..pieces).step_by(count) {
        found.extend(work(piece)?);
    }
    if let Some(ranks) = ranks {
        let all = ranks.gather(serde_json::json!(found).to_string().into_bytes());
        let read = |bytes: &Vec<u8>| serde_json::from_slice::<Vec<(usize, String)>>(bytes).unwrap_or_default();
        found = all.iter().flat_map(read).collect();
    }
    found.sort_unstable();
    Ok(found)
}

/// Named texts in their order.
type Texts = Vec<(String, String)>;

/// The first rank whose texts are not those of the first one: the name of the first such text, and both.
fn first_difference(said: &[Texts]) -> Option<(usize, String, [String; 2])> {
    let first = said.first()?;
    let (rank, other) = said.iter().enumerate().find(|(_, texts)| *texts != first)?;
    let of = |texts: &Texts, name: &str| {
        texts.iter().find(|(of, _)| of == name).map_or_else(|| "none".to_owned(), |(_, text)| text.clone())
    };
    let names = first.iter().chain(other).map(|(name, _)| name);
    let differs = |name: &&String| of(first, name) != of(other, name);
    let name = names.clone().find(differs).or(names.clone().next())?;
    Some((rank, name.clone(), [of(first, name), of(other, name)]))
}

/// The number and the machine of a rank, for people.
pub fn name_of(rank: usize) -> String {
    match PARTY.get().and_then(|party| party.hosts.get(rank)) {
        Some(host) => format!("rank {rank} on {host}"),
        None => format!("rank {rank}"),
    }
}

#[cfg(test)]
mod tests {
    use pvlu::shard::ThreadRanks;

    use super::*;

    #[test]
    fn all_ranks_hear_of_what_any_of_them_has_found() {
        // Pieces of ten numbers, of which some are looked for.
        let numbers = [3, 14, 15, 41, 42, 43].map(|number| (number, format!("number {number}")));
        let look = |ranks: Option<&dyn Ranks>| {
            let mut done = Vec::new();
            let mut work = |piece: usize| {
                done.push(piece);
                Ok(numbers.iter().filter(|(number, _)| number / 10 == piece).cloned().collect())
            };
            let found = found_among(ranks, 5, &mut work).unwrap();
            assert_eq!(found, numbers);
            done
        };
        assert_eq!(look(None), [0, 1, 2, 3, 4]);
        std::thread::scope(|scope| {
            for (ranks, expected) in ThreadRanks::new(2).into_iter().zip([vec![0, 2, 4], vec![1, 3]]) {
                scope.spawn(move || assert_eq!(look(Some(&ranks)), expected));
            }
        });
    }

    #[test]
    fn the_first_difference_is_found_and_named() {
        let texts =
            |of: &[(&str, &str)]| of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let (one, same): (Texts, Texts) = (texts(&[("a", "1"), ("b", "2")]), texts(&[("a", "1"), ("b", "2")]));
        assert_eq!(first_difference(&[]), None);
        assert_eq!(first_difference(&[one.clone(), same.clone()]), None);
        let cases: [(Texts, &str, [&str; 2]); 3] = [
            (texts(&[("a", "1"), ("b", "3")]), "b", ["2", "3"]),
            (texts(&[("a", "1")]), "b", ["2", "none"]),
            (texts(&[("a", "1"), ("b", "2"), ("c", "4")]), "c", ["none", "4"]),
        ];
        for (other, name, [expected, found]) in cases {
            let said = [one.clone(), same.clone(), other];
            assert_eq!(first_difference(&said), Some((2, name.to_owned(), [expected.to_owned(), found.to_owned()])));
        }
    }
}
