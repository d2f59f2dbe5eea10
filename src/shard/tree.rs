//! The fixed tree in which sums over shards are taken.

use std::ops::Range;

/// Adds neighbors in pairs, the sums of these in pairs, and so on; a last one without a neighbor waits for the next
/// round. `None` of nothing.
pub fn in_pairs<T>(parts: Vec<T>, add: impl FnMut(T, T) -> T) -> Option<T> {
    let shards = parts.len();
    join(leaves(0..shards, parts), shards, add).into_iter().next().map(|node| node.value)
}

/// A sum over neighboring shards: that of index `index` among those over `2^level` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<T> {
    level: u32,
    index: usize,
    pub value: T,
}

/// The values of some neighboring shards as nodes.
pub fn leaves<T>(shards: Range<usize>, values: impl IntoIterator<Item = T>) -> Vec<Node<T>> {
    shards.zip(values).map(|(index, value)| Node { level: 0, index, value }).collect()
}

/// Joins nodes, in the order of their shards, as far as the tree over so many shards goes without others.
pub fn join<T>(mut nodes: Vec<Node<T>>, shards: usize, mut add: impl FnMut(T, T) -> T) -> Vec<Node<T>> {
    for level in (0..usize::BITS).take_while(|level| shards > 1 << level) {
        let mut joined = Vec::with_capacity(nodes.len());
        let mut rest = nodes.into_iter().peekable();
        while let Some(node) = rest.next() {
            if node.level != level || node.index % 2 == 1 {
                joined.push(node);
                continue;
            }
            let is_neighbor = |next: &Node<T>| next.level == level && next.index == node.index + 1;
            let above = |value| Node { level: level + 1, index: node.index / 2, value };
            joined.push(match rest.next_if(is_neighbor) {
                Some(right) => above(add(node.value, right.value)),
                // There is no neighbor anywhere.
                None if (node.index + 1) << level >= shards => above(node.value),
                None => node,
            });
        }
        nodes = joined;
    }
    nodes
}

/// The nodes that the shards of a range make by themselves, with these values.
pub fn nodes_of<T>(range: Range<usize>, shards: usize, values: impl IntoIterator<Item = T>) -> Vec<Node<T>> {
    let alone = join(leaves(range.clone(), range), shards, |left, _| left);
    alone.into_iter().zip(values).map(|(Node { level, index, .. }, value)| Node { level, index, value }).collect()
}

/// The number of nodes that the shards of a range make by themselves.
pub fn count_of(range: Range<usize>, shards: usize) -> usize {
    nodes_of(range, shards, std::iter::repeat(())).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(left: String, right: String) -> String {
        format!("({left} {right})")
    }

    fn numbered(range: Range<usize>) -> Vec<String> {
        range.map(|shard| shard.to_string()).collect()
    }

    #[test]
    fn neighbors_are_added_in_pairs() {
        let of = |n: usize| in_pairs(numbered(0..n), text);
        let expected =
            [None, Some("0"), Some("(0 1)"), Some("((0 1) 2)"), Some("((0 1) (2 3))"), Some("(((0 1) (2 3)) 4)")];
        for (n, expected) in expected.into_iter().enumerate() {
            assert_eq!(of(n).as_deref(), expected);
        }
        assert_eq!(of(7).as_deref(), Some("(((0 1) (2 3)) ((4 5) 6))"));
    }

    #[test]
    fn ranges_apart_and_then_together_make_the_same_tree() {
        for shards in 1..=24 {
            let whole = in_pairs(numbered(0..shards), text);
            for ranks in (1..=shards).filter(|ranks| shards % ranks == 0) {
                let each = shards / ranks;
                let ranges = || (0..ranks).map(|rank| rank * each..(rank + 1) * each);
                let apart = ranges().map(|range| join(leaves(range.clone(), numbered(range)), shards, text));
                // What is sent are the values alone; whose they are follows from the range.
                let sent: Vec<Vec<String>> =
                    apart.map(|nodes| nodes.into_iter().map(|node| node.value).collect()).collect();
                let nodes = ranges().zip(sent).flat_map(|(range, values)| {
                    assert_eq!(values.len(), count_of(range.clone(), shards));
                    nodes_of(range, shards, values)
                });
                let together = join(nodes.collect(), shards, text);
                assert_eq!(together.len(), 1);
                assert_eq!(together.into_iter().next().map(|node| node.value), whole, "{shards} shards, {ranks} ranks");
            }
        }
    }
}
