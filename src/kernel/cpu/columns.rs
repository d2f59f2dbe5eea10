//! A part of the columns of a matrix: what a tensor is in the concatenation of several.

use super::tasks::{TASK, each};
use crate::kernel::Element;
use crate::kernel::shape::Columns;
use crate::kernel::write::Write;

/// Rows in a task.
fn step(columns: Columns) -> usize {
    (TASK / columns.width).max(1)
}

/// Writes `x` of `[rows, count]` over its columns of `y`, and leaves the others.
pub fn write_columns<E: Element>(columns: Columns, x: &[E], y: &mut [E]) {
    columns.check(x.len(), y.len());
    if x.is_empty() {
        return;
    }
    let Columns { width, count, .. } = columns;
    each(y.chunks_mut(step(columns) * width).zip(x.chunks(step(columns) * count)), |(y, x)| {
        for (row, x) in x.chunks_exact(count).enumerate() {
            y[columns.row(row)].copy_from_slice(x);
        }
    });
}

/// Writes the columns of `y` to `x` of `[rows, count]`, or adds them to it.
pub fn read_columns<E: Element>(columns: Columns, y: &[E], x: &mut [E], write: Write) {
    columns.check(x.len(), y.len());
    if x.is_empty() {
        return;
    }
    let Columns { width, count, .. } = columns;
    each(x.chunks_mut(step(columns) * count).zip(y.chunks(step(columns) * width)), |(x, y)| {
        for (row, x) in x.chunks_exact_mut(count).enumerate() {
            let y = &y[columns.row(row)];
            match write {
                Write::Replace => x.copy_from_slice(y),
                Write::Add => x.iter_mut().zip(y).for_each(|(x, &y)| *x = *x + y),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_written_and_read_back() {
        for (rows, width, first, count) in [(0, 3, 1, 2), (4, 7, 0, 7), (3, 7, 2, 3), (2, 5, 5, 0), (TASK, 3, 1, 1)] {
            let columns = Columns { rows, width, first, count };
            let x: Vec<f32> = (0..rows * count).map(|i| i as f32 + 1.0).collect();
            let mut y = vec![-1.0; rows * width];
            write_columns(columns, &x, &mut y);
            for (i, &y) in y.iter().enumerate() {
                let (row, column) = (i / width, i % width);
                let inside = (first..first + count).contains(&column);
                assert_eq!(y, if inside { x[row * count + column - first] } else { -1.0 });
            }
            let mut back = vec![f32::NAN; x.len()];
            read_columns(columns, &y, &mut back, Write::Replace);
            assert_eq!(back, x);
            read_columns(columns, &y, &mut back, Write::Add);
            assert!(back.iter().zip(&x).all(|(back, x)| *back == 2.0 * x));
        }
    }
}
