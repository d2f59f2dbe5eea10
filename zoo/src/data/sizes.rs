//! The sizes of the images of CIFAR and of the built-in set, and the number of images that a file may have.

/// Height and width of an image, in pixels.
#[doc(hidden)]
pub const SIDE: usize = 32;
/// Color planes of an image: red, green, blue.
#[doc(hidden)]
pub const CHANNELS: usize = 3;
/// Values of a plane.
#[doc(hidden)]
pub const PLANE: usize = SIDE * SIDE;
/// Channels, rows and columns of the images of CIFAR, of the built-in set and of folders.
#[doc(hidden)]
pub const SHAPE: [usize; 3] = [CHANNELS, SIDE, SIDE];
/// Values, hence bytes, of an image of that shape.
#[doc(hidden)]
pub const IMAGE_LEN: usize = CHANNELS * PLANE;

/// Maximum number of images in a file, twenty times that of CIFAR's largest one. The pixels of more would take 3 GB.
#[doc(hidden)]
pub const MAX_RECORDS: u64 = 1_000_000;
