//! Copies in the shapes that the kernels need.

/// Copies `from` to `to`, fast for short runs. The rows of small images are shorter
/// than the call of a general copy is worth.
///
/// # Panics
///
/// If the lengths differ.
#[inline(always)]
pub fn copy_run<E: Copy>(from: &[E], to: &mut [E]) {
    assert_eq!(from.len(), to.len());
    if to.len() >= 16 {
        to.copy_from_slice(from);
        return;
    }
    // Straight-line code: a loop here would be turned back into the call.
    let (from, to) = copy_head::<E, 8>(from, to);
    let (from, to) = copy_head::<E, 4>(from, to);
    let (from, to) = copy_head::<E, 2>(from, to);
    copy_head::<E, 1>(from, to);
}

/// Copies the first `N` elements, if there are as many, and returns what is left.
#[inline(always)]
fn copy_head<'a, E: Copy, const N: usize>(from: &'a [E], to: &'a mut [E]) -> (&'a [E], &'a mut [E]) {
    if to.len() < N {
        return (from, to);
    }
    let (from_head, from) = from.split_first_chunk::<N>().expect("equal lengths");
    let (to_head, to) = to.split_first_chunk_mut::<N>().expect("length checked");
    *to_head = *from_head;
    (from, to)
}

/// `to[j, i] = from[i, j]` for a `rows x cols` matrix whose rows start `stride`
/// elements apart in `from`. The rows of `to` are packed.
///
/// # Panics
///
/// If `from` or `to` is too short.
pub fn transpose<E: Copy + Default>(from: &[E], stride: usize, rows: usize, cols: usize, to: &mut [E]) {
    // Squares that fit in registers and use each cache line whole.
    const SIDE: usize = 8;
    for row in (0..rows).step_by(SIDE) {
        let height = SIDE.min(rows - row);
        for col in (0..cols).step_by(SIDE) {
            let width = SIDE.min(cols - col);
            if height == SIDE && width == SIDE {
                let mut square = [[E::default(); SIDE]; SIDE];
                for (i, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(row + i) * stride + col..][..SIDE]);
                }
                for j in 0..SIDE {
                    let line: [E; SIDE] = std::array::from_fn(|i| square[i][j]);
                    to[(col + j) * rows + row..][..SIDE].copy_from_slice(&line);
                }
            } else {
                for j in col..col + width {
                    for i in row..row + height {
                        to[j * rows + i] = from[i * stride + j];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_every_length_are_copied() {
        for len in 0..40 {
            let from: Vec<usize> = (1..=len).collect();
            let mut to = vec![0; len];
            copy_run(&from, &mut to);
            assert_eq!(from, to);
        }
    }

    #[test]
    fn transposition_swaps_the_indices() {
        for (rows, cols, stride) in [(1, 1, 1), (8, 8, 8), (17, 9, 12), (3, 40, 41), (24, 16, 16)] {
            let from: Vec<f32> = (0..rows * stride).map(|i| i as f32).collect();
            let mut to = vec![-1.0; rows * cols];
            transpose(&from, stride, rows, cols, &mut to);
            for i in 0..rows {
                for j in 0..cols {
                    assert_eq!(to[j * rows + i], from[i * stride + j]);
                }
            }
        }
    }
}
