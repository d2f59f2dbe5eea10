//! Allocation of an image's pixels, and their expansion from gray to RGB.

use crate::image::error::Refusal;

/// Zeros for `pixels` pixels of `values` bytes each; a refusal if there is not enough memory.
pub(super) fn zeros(pixels: u64, values: usize) -> Result<Vec<u8>, Refusal> {
    let no_memory = || Refusal::Because(format!("there is not enough memory for its {pixels} pixels"));
    let len = usize::try_from(pixels).ok().and_then(|pixels| pixels.checked_mul(values)).ok_or_else(no_memory)?;
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).map_err(|_| no_memory())?;
    zeros.resize(len, 0_u8);
    Ok(zeros)
}

/// Expands the gray values in the first third to three equal values a pixel.
pub(super) fn spread(values: &mut [u8]) {
    for pixel in (0..values.len() / 3).rev() {
        let grey = values[pixel];
        values[3 * pixel..3 * pixel + 3].fill(grey);
    }
}
