//! Division of a kernel's work into tasks, and the loops that run them.

use std::cell::Cell;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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
    each(kernels, |kernel| dispatch_at(level, kernel));
}

/// Does `work` on every item, in rayon's current pool; on a single one, or within [`alone`], by the calling thread.
///
/// Items should be worth a microsecond or more, and their effects must not depend on their order.
pub fn each<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let items: Vec<_> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    run(items.len(), &|number| {
        // Each is asked for once, so that no lock is ever waited for.
        let item = items[number].lock().unwrap_or_else(PoisonError::into_inner).take();
        item.into_iter().for_each(&work);
    });
}

/// Calls `task` with every number below `count`.
///
/// Not generic, so that rayon's machinery is compiled once and not for every kernel: that took a quarter of the time
/// that this crate needs to compile.
fn run(count: usize, task: &(dyn Fn(usize) + Sync)) {
    match count {
        _ if ALONE.get() => (0..count).for_each(task),
        0 => {}
        1 => task(0),
        _ => (0..count).into_par_iter().with_max_len(1).for_each(task),
    }
}

thread_local! {
    /// True while this thread does all work by itself.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread alone: what it would split among threads is done one after another, so that large pieces
/// of work may be split instead.
pub fn alone<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    work()
}

/// Threads that work may be split among.
pub fn threads() -> usize {
    if ALONE.get() { 1 } else { rayon::current_num_threads() }
}

/// Part of a tensor made of lines of equal length: several whole lines, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Range of its elements in the tensor.
    pub elements: Range<usize>,
    /// The line that it starts in.
    pub line: usize,
    /// Index of its first element in that line; zero for whole lines.
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
    fn a_thread_alone_does_all_work_itself_until_it_is_done_or_panics() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| {
            assert_eq!(threads(), 3);
            let here = std::thread::current().id();
            let work = || each(0..50, |_| assert_eq!(std::thread::current().id(), here));
            alone(|| {
                work();
                alone(work);
                assert_eq!(threads(), 1);
            });
            assert!(std::panic::catch_unwind(|| alone(|| panic!("within"))).is_err());
            assert_eq!(threads(), 3);
        });
    }

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
