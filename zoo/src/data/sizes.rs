//! The sizes of the images of CIFAR and of the built-in set.

/// Height and width of an image, in pixels.
pub const SIDE: usize = 32;
/// Color planes of an image: red, green, blue.
pub const CHANNELS: usize = 3;
/// Values of a plane.
pub const PLANE: usize = SIDE * SIDE;
/// Channels, rows and columns of the images of CIFAR, of the built-in set and of folders.
pub const SHAPE: [usize; 3] = [CHANNELS, SIDE, SIDE];
/// Values, hence bytes, of an image of that shape.
pub const IMAGE_LEN: usize = CHANNELS * PLANE;
