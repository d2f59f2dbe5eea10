//! The decoder of libjpeg, in C: the one in Pillow, and its bytes. The only `unsafe` code above the kernels.
//!
//! `turbo.c` beside this file has two functions, each of which reads a slice of bytes and fills memory that is lent to
//! it. Nothing that libjpeg allocates outlives a call, no function of Rust is called from C, and an error of libjpeg,
//! which may not return, leaves by `longjmp` over frames of C alone. So nothing unwinds through C, whatever `panic` is
//! set to.

use std::ffi::{CStr, c_char, c_int, c_long};

// For its library alone: its declarations let a panic pass through C, which is not needed here.
use mozjpeg_sys as _;

use super::pixels::{spread, zeros};
use crate::image::error::Refusal;
use crate::image::limits::MAX_WORK;

/// Pixels that all scans of a file together may have. A scan of a large image can be a few bytes and take a second:
/// these take ten, and leave the largest image that is accepted 96 scans. Encoders write about ten.
const MAX_SCANNED: u64 = 1 << 33;

/// Bytes of a message of libjpeg, at most: `JMSG_LENGTH_MAX` of jpeglib.h.
const MESSAGE: usize = 200;

/// Outcomes of a call, numbered as in the `enum outcome` of turbo.c.
const DONE: c_int = 0;
const CUT: c_int = 2;
const TOO_MANY_SCANS: c_int = 3;

/// Size and number of components that the headers state, laid out as the `struct frame` of turbo.c.
#[repr(C)]
struct Shape {
    width: u32,
    height: u32,
    components: u32,
}

/// A file whose headers were read.
pub(super) struct Frame<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    components: usize,
    bytes: &'a [u8],
}

// SAFETY: these are the two functions of `turbo.c`, with the types that they have there.
unsafe extern "C" {
    /// Fills `shape`, and `message` if it refuses.
    ///
    /// # Safety
    ///
    /// `bytes` is valid for reads of `len` bytes, `shape` for writes, `message` for writes of `JMSG_LENGTH_MAX` bytes.
    fn pvlu_zoo_jpeg_frame(bytes: *const u8, len: usize, shape: *mut Shape, message: *mut c_char) -> c_int;

    /// Fills `pixels` as far as it gets, and `message` if it refuses.
    ///
    /// # Safety
    ///
    /// `bytes` is valid for reads of `len` bytes, `pixels` for writes of `pixels_len`, `message` for writes of
    /// `JMSG_LENGTH_MAX` bytes.
    fn pvlu_zoo_jpeg_pixels(
        bytes: *const u8,
        len: usize,
        max_scans: c_int,
        max_memory: c_long,
        pixels: *mut u8,
        pixels_len: usize,
        message: *mut c_char,
    ) -> c_int;
}

/// Reads the headers of a file: its size and its number of components.
pub(super) fn frame(bytes: &[u8]) -> Result<Frame<'_>, Refusal> {
    let mut shape = Shape { width: 0, height: 0, components: 0 };
    let mut message = [0; MESSAGE];
    // SAFETY: the pointers are those of a slice with its length, of a `Shape` with the layout of the C struct, and of
    // an array of the length that is asked for; all live until the call returns, and none is kept. The function writes
    // into the last two alone, which are borrowed for nothing else, and any bytes are a value of theirs. It has no
    // state beside its arguments, so threads may call it at once. It does not unwind: it calls nothing but C, and its
    // `longjmp` ends in it.
    let outcome = unsafe {
        pvlu_zoo_jpeg_frame(bytes.as_ptr(), bytes.len(), &raw mut shape, message.as_mut_ptr().cast::<c_char>())
    };
    verdict(outcome, &message)?;
    let Shape { width, height, components } = shape;
    match components {
        1 | 3 | 4 => Ok(Frame { width, height, components: components as usize, bytes }),
        // Pillow's verdict too.
        _ => Err(Refusal::Because(format!("expected 1, 3 or 4 components, found {components}"))),
    }
}

/// Decodes the pixels of a frame whose size was accepted, as `convert("RGB")` of Pillow gives them.
pub(super) fn rgb(frame: Frame<'_>) -> Result<Vec<u8>, Refusal> {
    let Frame { width, height, components, bytes } = frame;
    let pixels = u64::from(width) * u64::from(height);
    let room = components.max(3);
    let mut values = zeros(pixels, room)?;
    let samples = values.len() / room * components;
    let samples = &mut values[..samples];
    let max_scans = c_int::try_from(MAX_SCANNED / pixels.max(1)).unwrap_or(c_int::MAX);
    let mut message = [0; MESSAGE];
    // SAFETY: as in `frame`; `samples` is a slice with its length, of bytes that are initialized. The function writes
    // rows of the frame that it reads itself, having refused unless they are as many bytes as `samples` has.
    let outcome = unsafe {
        pvlu_zoo_jpeg_pixels(
            bytes.as_ptr(),
            bytes.len(),
            max_scans,
            MAX_WORK as c_long,
            samples.as_mut_ptr(),
            samples.len(),
            message.as_mut_ptr().cast::<c_char>(),
        )
    };
    verdict(outcome, &message)?;
    match components {
        1 => spread(&mut values),
        4 => print_on_white(&mut values),
        _ => {}
    }
    Ok(values)
}

fn verdict(outcome: c_int, message: &[u8; MESSAGE]) -> Result<(), Refusal> {
    match outcome {
        DONE => Ok(()),
        CUT => Err(Refusal::Cut),
        TOO_MANY_SCANS => Err(Refusal::Because("it has more scans than an image of its size is read with".to_owned())),
        _ => {
            let text = CStr::from_bytes_until_nul(message).unwrap_or_default();
            Err(Refusal::Because(text.to_string_lossy().into_owned()))
        }
    }
}

/// Converts CMYK to RGB, as Pillow does: files hold it inverted, so that a value is 255 where there is no ink.
fn print_on_white(values: &mut Vec<u8>) {
    /// `a b / 255`, rounded, for `a` and `b` up to 255.
    fn product(a: u8, b: u8) -> u8 {
        let product = u32::from(a) * u32::from(b) + 128;
        (((product >> 8) + product) >> 8) as u8
    }
    let pixels = values.len() / 4;
    for pixel in 0..pixels {
        let light = values[4 * pixel + 3];
        for color in 0..3 {
            // At most `light`, so that there is nothing to cut off.
            values[3 * pixel + color] = light - product(255 - values[4 * pixel + color], light);
        }
    }
    values.truncate(3 * pixels);
}
