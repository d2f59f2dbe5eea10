//! Image files that are damaged or too large.

use pvlu_zoo::image::Image;

use super::mutation::{self, Random};
use super::{files, folder, readers, turn};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let endings = [".png", ".jpg", ".JPEG", ".webp", ".WEBP", ".bmp", ".ppm", ".pgm", ".pbm"];
    [files("tests/fixtures/images", &endings), files("tests/fixtures/images/jpeg", &endings)].concat()
}

#[test]
fn a_damaged_image_gives_an_image_or_an_error() {
    let _turn = turn();
    let seeds = fixtures();
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..100 {
            readers::image(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}

/// A few bytes can say that millions of pixels are equal: the size is what bounds the memory.
#[test]
fn an_image_of_more_pixels_than_are_accepted_is_refused_by_its_size() {
    let _turn = turn();
    for name in ["wide.png", "lossy.jpg", "lossy.webp", "lossless.WEBP"] {
        let bytes = std::fs::read(folder("tests/fixtures/images").join(name)).unwrap();
        assert!(Image::decode_within(name, &bytes, 37 * 25).is_ok());
        let error = Image::decode_within(name, &bytes, 37 * 25 - 1).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: expected at most 924 pixels, found 37x25"));
    }
}
