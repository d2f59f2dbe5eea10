//! How a kernel's work is cut into tasks and run.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{Kernel, Level, dispatch_at};

/// Elements in a task: enough to hide the cost of starting it, few enough to stay in a core's own cache.
pub const TASK: usize = 32 * 1024;

/// Runs every kernel, in rayon's current pool; a single one runs on the calling thread.
///
/// The kernels write to disjoint places, so that the result does not depend on the number of threads.
pub fn for_each<K>(level: Level, kernels: impl IntoIterator<Item = K>)
where
    K: Kernel<Output = ()> + Send,
{
    let mut kernels = kernels.into_iter();
    let Some(first) = kernels.next() else { return };
    let Some(second) = kernels.next() else { return dispatch_at(level, first) };
    let all: Vec<K> = [first, second].into_iter().chain(kernels).collect();
    all.into_par_iter().for_each(|kernel| dispatch_at(level, kernel));
}

/// Part of a tensor made of lines of equal length: several whole lines, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it lies in the tensor.
    pub elements: Range<usize>,
    /// The line that it starts in.
    pub line: usize,
    /// Where in that line it starts; zero for whole lines.
    pub offset: usize,
}

/// Cuts `total` elements, made of lines of `line` elements (the last may be shorter), into pieces of about [`TASK`].
pub fn pieces(total: usize, line: usize) -> Vec<Piece> {
    if total == 0 {
        return Vec::new();
    }
    let cut = |start: usize, end: usize| Piece { elements: start..end, line: start / line, offset: start % line };
    if line <= TASK {
        let step = TASK / line * line;
        (0..total).step_by(step).map(|start| cut(start, total.min(start + step))).collect()
    } else {
        (0..total)
            .step_by(line)
            .flat_map(|first| {
                let last = total.min(first + line);
                (first..last).step_by(TASK).map(move |start| cut(start, last.min(start + TASK)))
            })
            .collect()
    }
}

/// The parts of a tensor that consecutive pieces cover.
pub fn split_mut<'a, E>(mut tensor: &'a mut [E], pieces: &[Piece]) -> Vec<&'a mut [E]> {
    pieces
        .iter()
        .map(|piece| {
            let (part, rest) = std::mem::take(&mut tensor).split_at_mut(piece.elements.len());
            tensor = rest;
            part
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_element_once_and_in_order() {
        for line in [1, 7, 100, TASK - 1, TASK, TASK + 1, 3 * TASK + 5] {
            for total in [0, 1, line, 2 * line, 5 * line + line / 2] {
                let pieces = pieces(total, line);
                let mut next = 0;
                for piece in &pieces {
                    assert_eq!(piece.elements.start, next);
                    assert_eq!(piece.line * line + piece.offset, next);
                    assert!(!piece.elements.is_empty() && piece.elements.len() <= TASK);
                    assert!(piece.offset == 0 || piece.offset + piece.elements.len() <= line);
                    next = piece.elements.end;
                }
                assert_eq!(next, total);
                let mut tensor = vec![0_u8; total];
                assert_eq!(split_mut(&mut tensor, &pieces).iter().map(|part| part.len()).sum::<usize>(), total);
            }
        }
    }
}
