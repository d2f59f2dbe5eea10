use std::path::PathBuf;

use super::*;
use crate::image::Image;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images"))
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

/// The files of every kind.
fn kinds() -> Vec<String> {
    let text = std::fs::read_to_string(fixtures().join("jpeg.txt")).unwrap();
    text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn plain_rgb(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Refusal> {
    let frame = plain::frame(bytes)?;
    Ok((frame.width, frame.height, plain::rgb(frame)?))
}

fn because(reason: &str) -> Refusal {
    Refusal::Because(reason.to_owned())
}

#[test]
fn markers_lead_to_the_end_of_an_image() {
    // A segment that holds what looks like an end, then the end; and without it.
    let whole =
        [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff, 0xd9, 0xff, 0xda, 0, 2, 9, 0xff, 0, 0xff, 0xd0, 0xff, 0xd9];
    assert_eq!(markers::check(&whole), Ok(()));
    for len in 0..whole.len() {
        assert_eq!(markers::check(&whole[..len]), Err(Refusal::Cut), "{len}");
    }
}

#[test]
fn the_decoder_in_rust_refuses_what_it_would_get_wrong_and_says_why() {
    let refusal = |name: &str| plain_rgb(&bytes(name)).unwrap_err();
    let arithmetic = because("arithmetic coding: re-encode it, or build with the feature jpeg-c");
    let scans = because("several scans, and not progressive: re-encode it, or build with the feature jpeg-c");
    let sampling = because("unusual sampling of colors: re-encode it, or build with the feature jpeg-c");
    let mut refused = [0; 3];
    for name in kinds() {
        if name.contains("arithmetic") {
            assert_eq!(refusal(&name), arithmetic, "{name}");
            refused[0] += 1;
        } else if ["each", "chroma"].iter().any(|kind| name.contains(kind)) {
            assert_eq!(refusal(&name), scans, "{name}");
            refused[1] += 1;
        } else if ["411", "ycc_31", "ycc_14", "ycc_13", "ycc_42_", "fine", "mixed", "wide", "cmyk_0_420", "cmyk_2_420"]
            .iter()
            .any(|kind| name.contains(kind))
        {
            assert_eq!(refusal(&name), sampling, "{name}");
            refused[2] += 1;
        }
    }
    assert_eq!(refused, [4, 10, 11]);
}

/// Its rounding is its own: of the transform, and of colors that are enlarged.
#[test]
fn the_decoder_in_rust_gives_pillows_bytes_but_for_a_few_levels() {
    for name in ["lossy.jpg", "named_png.png", "turned.JPEG", "grey.jpg", "cmyk.jpg"] {
        let pillows = Image::open(fixtures().join(format!("decoded/{name}.png"))).unwrap();
        let (width, height, ours) = plain_rgb(&bytes(name)).unwrap();
        assert_eq!((width as usize, height as usize), (pillows.width(), pillows.height()), "{name}");
        let apart: Vec<u8> = ours.iter().zip(pillows.pixels()).map(|(a, b)| a.abs_diff(*b)).collect();
        let mean = apart.iter().map(|&levels| f64::from(levels)).sum::<f64>() / apart.len() as f64;
        assert!(apart.iter().all(|&levels| levels <= 4) && mean < 0.6, "{name}: {mean}");
    }
}

/// A file with a code that its tables lack, and one of whose restart markers is another.
fn damaged() -> [Vec<u8>; 2] {
    let mut code = bytes("jpeg/ycc_420_baseline_31x33.jpg");
    let scan = code.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    code[scan + 60..scan + 68].copy_from_slice(&[0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0]);
    let mut restart = bytes("jpeg/ycc_420_restart1_21x19.jpg");
    let marker = restart.windows(2).position(|pair| pair == [0xff, 0xd1]).unwrap();
    restart[marker + 1] = 0xd5;
    [code, restart]
}

#[test]
fn the_decoder_in_rust_refuses_damage() {
    let [code, restart] = damaged();
    assert!(matches!(plain_rgb(&code), Err(Refusal::Because(_))));
    assert_eq!(plain_rgb(&restart), Err(because("it is damaged: restart markers out of order")));
}

#[cfg(feature = "jpeg-c")]
mod of_libjpeg {
    use super::*;

    fn rgb(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        turbo::rgb(turbo::frame(bytes)?)
    }

    /// The segment of `file` that begins with this marker.
    fn segment(file: &[u8], marker: u8) -> std::ops::Range<usize> {
        let start = file.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
        start..start + 2 + usize::from(u16::from_be_bytes([file[start + 2], file[start + 3]]))
    }

    #[test]
    fn an_error_at_any_place_ends_in_a_message() {
        let file = bytes("jpeg/ycc_420_baseline_31x33.jpg");
        let without = |marker| {
            let mut file = file.clone();
            file.drain(segment(&file, marker));
            file
        };
        let mut wide = file.clone();
        wide[segment(&file, 0xc0)][11] = 0x51;
        let mut two_frames = file.clone();
        let frame = file[segment(&file, 0xc0)].to_vec();
        two_frames.splice(2..2, frame);
        let mut four_bits = file.clone();
        four_bits[segment(&file, 0xc0)][4] = 4;
        for (file, expected) in [
            (b"\xff\xd8\xff\xd9".to_vec(), "JPEG datastream contains no image"),
            (b"no JPEG at all".to_vec(), "Not a JPEG file: starts with 0x6e 0x6f"),
            (without(0xdb), "Quantization table 0x00 was not defined"),
            (without(0xda), "Invalid JPEG file structure: missing SOS marker"),
            (wide, "Bogus sampling factors"),
            (two_frames, "Invalid JPEG file structure: two SOF markers"),
            (four_bits, "Unsupported JPEG data precision 4"),
        ] {
            match rgb(&file) {
                Err(Refusal::Because(reason)) => assert_eq!(reason, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn damage_is_read_as_far_as_it_can_be_and_a_cut_is_not() {
        for file in damaged() {
            assert!(rgb(&file).is_ok());
        }
        let file = bytes("jpeg/ycc_420_baseline_31x33.jpg");
        for len in 2..file.len() - 8 {
            assert_eq!(rgb(&file[..len]), Err(Refusal::Cut), "{len}");
        }
        // With another marker instead of the end marker every pixel is there, and Pillow reads the file too.
        let file = bytes("jpeg/grey_444_baseline_13x31.jpg");
        assert_eq!(rgb(&[&file[..file.len() - 2], &[0xff, 0xe1]].concat()), rgb(&file));
    }

    /// A frame of 9459x9459 with 400 scans, all bits of which are 0: some 9 kB that would take a minute.
    #[test]
    fn scans_without_end_are_refused() {
        let file = bytes("jpeg/grey_444_progressive_13x31.jpg");
        let [frame, tables] = [0xc2, 0xc4].map(|marker| segment(&file, marker));
        let mut bomb = file[..frame.start].to_vec();
        bomb.extend(&file[frame.clone()]);
        bomb[frame.start + 5..frame.start + 9].copy_from_slice(&[0x24, 0xf3, 0x24, 0xf3]);
        bomb.extend(&file[tables]);
        for _ in 0..400 {
            bomb.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0, 0]);
        }
        bomb.extend([0xff, 0xd9]);
        assert_eq!(rgb(&bomb), Err(because("it has more scans than an image of its size is read with")));
    }

    /// Each call has a state of its own.
    #[test]
    fn threads_decode_at_once() {
        let file = bytes("jpeg/ycc_420_progressive_21x19.jpg");
        let expected = rgb(&file).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (file, expected) = (&file, &expected);
                scope.spawn(move || {
                    for _ in 0..200 {
                        assert_eq!(rgb(file).as_ref(), Ok(expected));
                        assert_eq!(rgb(&file[..file.len() / (2 + thread)]), Err(Refusal::Cut));
                    }
                });
            }
        });
    }
}
