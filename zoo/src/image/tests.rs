use std::path::{Path, PathBuf};

use super::*;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn open(name: &str) -> Image {
    Image::open(fixtures().join(name)).unwrap()
}

fn fnv(bytes: &[u8]) -> String {
    let step = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Returns `true` if the decoder of this build rounds this file otherwise than Pillow; see [`Image::open`].
fn rounds(name: &str) -> bool {
    !cfg!(feature = "jpeg-c") && (name.starts_with("jpeg/") || fixtures().join(format!("decoded/{name}.png")).exists())
}

/// Covers every kind of PNG and WebP file, and JPEG files of every sampling, coding, scan, restart and color.
#[test]
fn files_decode_to_pillows_bytes() {
    let mut compared = 0;
    for line in [text("decoded.txt"), text("plain.txt"), text("jpeg.txt")].concat().lines() {
        let [name, width, height, hash] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        if !rounds(name) {
            let image = open(name);
            assert_eq!([image.width().to_string(), image.height().to_string()], [width, height], "{name}");
            assert_eq!(fnv(image.pixels()), hash, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, if cfg!(feature = "jpeg-c") { 86 } else { 34 });
}

#[test]
fn cases_with_a_twin_decode_to_its_bytes() {
    let cases = fixtures().join("../../../../shared/cases");
    if !cases.exists() {
        assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none(), "no {}", cases.display());
        return println!("skipped: no {}", cases.display());
    }
    let open = |name: &str| Image::open(cases.join(name));
    assert_eq!(open("png_grey16_trns/grey16_trns.png").unwrap(), open("png_grey16_trns/grey16.png").unwrap());
    if cfg!(feature = "jpeg-c") {
        for (file, twin) in [
            ("jpeg_noninterleaved/scans.jpg", "jpeg_noninterleaved/interleaved.jpg"),
            ("jpeg_chroma_upsampling/s420.jpg", "jpeg_chroma_upsampling/s420_pillow.png"),
            ("jpeg_chroma_upsampling/s444.jpg", "jpeg_chroma_upsampling/s444_pillow.png"),
        ] {
            assert_eq!(open(file).unwrap(), open(twin).unwrap(), "{file}");
        }
        assert!(open("jpeg_arithmetic/arithmetic.jpg").is_ok());
    } else {
        for (file, reason) in [
            ("jpeg_noninterleaved/scans.jpg", "several scans"),
            ("jpeg_arithmetic/arithmetic.jpg", "arithmetic coding"),
        ] {
            let error = open(file).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}

#[test]
fn an_exif_orientation_is_ignored() {
    let image = open("turned.JPEG");
    assert!(image.width() > image.height());
}

/// Bytes equal to Pillow's, and inputs equal to torchvision's and Keras' to the bit.
#[test]
fn preprocessing_equals_torchvision_and_keras() {
    let mut compared = 0;
    for line in text("applied.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [name, preprocessing, hash, values @ ..] = fields.as_slice() else { panic!("{line}") };
        let preprocessing: Preprocessing = preprocessing.parse().unwrap();
        let image = open(name);
        assert_eq!(fnv(preprocessing.fitted(&image).pixels()), *hash, "{name} {preprocessing}");
        let input = preprocessing.apply(&[image]);
        for value in values {
            let (place, bits) = value.split_once(':').unwrap();
            let (ours, theirs) = (input[place.parse::<usize>().unwrap()], u32::from_str_radix(bits, 16).unwrap());
            assert_eq!(ours.to_bits(), theirs, "{name} {preprocessing} at {place}: {ours}, {}", f32::from_bits(theirs));
            compared += 1;
        }
    }
    assert!(compared == 306, "{compared}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    // Neither Pillow nor this decoder notices that a PNG lacks its end chunk and the checksum before it.
    for (name, tail) in
        [("lossy.jpg", 1), ("named_png.png", 1), ("wide.png", 17), ("lossy.webp", 1), ("lossless.WEBP", 1)]
    {
        let whole = bytes(name);
        assert!(Image::decode(name, &whole).is_ok());
        for len in 0..=whole.len() - tail {
            let error = Image::decode(name, &whole[..len]).map(|_| format!("{name} of {len} bytes")).unwrap_err();
            assert!(error.to_string().starts_with(name) && !error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn a_damaged_file_gives_an_image_or_an_error() {
    // A generator of numbers (Steele et al. 2014) that needs no state but its position.
    let random = |index: u64| {
        let z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize
    };
    for line in text("decoded.txt").lines() {
        let name = line.split(' ').next().unwrap();
        let whole = bytes(name);
        for trial in 0..100 {
            let mut damaged = whole.clone();
            for change in 0..4 {
                let number = random(1000 * trial + change);
                damaged[number % whole.len()] = (number >> 32) as u8;
            }
            if let Ok(image) = Image::decode(name, &damaged) {
                assert_eq!(image.pixels().len(), 3 * image.width() * image.height());
            }
        }
    }
}

#[test]
fn an_image_of_a_trillion_pixels_is_refused_before_it_is_decoded() {
    let mut png = bytes("one_pixel.png");
    png[16..24].copy_from_slice(&[0, 15, 66, 64, 0, 15, 66, 64]);
    // The checksum of the header is no longer right, and neither is anything else.
    let error = Image::decode("bomb.png", &png).unwrap_err().to_string();
    assert!(error.starts_with("bomb.png: "), "{error}");

    let mut jpeg = bytes("grey.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let error = Image::decode("bomb.jpg", &jpeg).unwrap_err().to_string();
    assert_eq!(error, "bomb.jpg: expected at most 89478485 pixels, found 60000x60000");
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let refusal = |bytes: &[u8]| Image::decode("x", bytes).unwrap_err().to_string();
    assert_eq!(refusal(&bytes("lossless.gif")), "x: expected a PNG, JPEG, WebP, BMP or Netpbm image, found a GIF");
    assert_eq!(refusal(b""), "x: expected a PNG, JPEG, WebP, BMP or Netpbm image, found an empty file");
    assert!(refusal(b"<!DOCTYPE html>").contains("failed download"));
    assert!(refusal(b"ordinary text").contains("none of their signatures"));
    let folder = Image::open(fixtures()).unwrap_err().to_string();
    assert!(folder.ends_with("expected an image file, found a folder"), "{folder}");
    assert!(matches!(Image::open(fixtures().join("none.png")), Err(ImageError::Io { .. })));
}

#[test]
fn kinds_of_bmp_and_netpbm_of_which_pillows_bytes_are_not_certain_are_refused() {
    let refusal = |bytes: &[u8]| Image::decode("x", bytes).unwrap_err().to_string();
    let with = |at: usize, value: u8| {
        let mut bmp = bytes("color32.bmp");
        bmp[at] = value;
        refusal(&bmp)
    };
    let reason = |text: &str| format!("x: no BMP image that can be read: {text}");
    assert_eq!(with(28, 16), reason("it has 16 bits a pixel, and 1, 4, 8, 24 and 32 are read"));
    assert_eq!(with(30, 1), reason("it is compressed"));
    assert_eq!(with(30, 3), reason("it has its colors in other bits than usual"));
    assert_eq!(with(14, 12), reason("it has a header of 12 bytes, before that of Windows 3"));
    assert_eq!(refusal(b"BM"), reason("it ends in its header"));
    let reason = |text: &str| format!("x: no Netpbm image that can be read: {text}");
    assert_eq!(refusal(b"P5 1 1 100\n\0"), reason("its values are up to 100, and up to 255 are read"));
    assert_eq!(refusal(b"P6 # 255\n 1 1\n"), reason("it ends in its header"));
    assert_eq!(refusal(b"P7\nWIDTH 1\n"), reason("it is no bitmap, graymap or pixmap"));
    // Cut anywhere: behind the header nothing is made up.
    for name in ["color.bmp", "palette8.bmp", "color.ppm", "bits.pbm"] {
        let whole = bytes(name);
        assert!((0..whole.len()).all(|len| Image::decode("x", &whole[..len]).is_err()), "{name}");
    }
}

#[test]
fn a_batch_holds_images_of_any_size_in_order() {
    let images: Vec<Image> = ["wide.png", "tall.png", "one_pixel.png"].map(open).into();
    let preprocessing = Preprocessing::TORCHVISION.with_input((20, 20)).unwrap();
    assert_eq!(preprocessing.fit(), Fit::Crop { shorter: 22 });
    let together = preprocessing.apply(&images);
    let apart: Vec<f32> = images.iter().flat_map(|image| preprocessing.apply(std::slice::from_ref(image))).collect();
    assert_eq!(together.len(), 3 * preprocessing.len());
    assert_eq!(together, apart);
}

#[test]
fn the_thinnest_images_take_little_memory_and_time() {
    let thin = Image::new(MAX_SIDE as usize, 1, vec![7; 3 * MAX_SIDE as usize]).unwrap();
    for interpolation in ["nearest", "bilinear", "bicubic"] {
        let line = Preprocessing::TORCHVISION.to_string().replace("bilinear", interpolation);
        let input = line.parse::<Preprocessing>().unwrap().fitted(&thin);
        assert!(input.pixels().iter().all(|&value| value == 7), "{interpolation}");
    }
}

#[test]
fn an_image_has_the_bytes_of_its_pixels() {
    assert!(Image::new(2, 1, vec![0; 6]).is_some());
    assert!(Image::new(2, 1, vec![0; 5]).is_none());
    assert!(Image::new(0, 1, vec![]).is_none());
    assert!(Image::new(usize::MAX, 2, vec![]).is_none());
}

#[test]
fn a_preprocessing_survives_being_text() {
    let constants = [
        Preprocessing::TORCHVISION,
        Preprocessing::TORCHVISION_V2,
        Preprocessing::KERAS_CAFFE,
        Preprocessing::KERAS_TF,
        Preprocessing::CIFAR10,
        Preprocessing::CIFAR100,
        Preprocessing::new(
            (3, 5),
            Fit::Squash,
            Interpolation::Bicubic,
            Channels::Bgr,
            0.1,
            [-1e-30, 1e30, 0.0],
            [1e-30, 3.0, 1.0 / 3.0],
        )
        .unwrap(),
    ];
    for preprocessing in constants {
        let line = preprocessing.to_string();
        assert!(!line.contains('\n'));
        assert_eq!(line.parse::<Preprocessing>(), Ok(preprocessing), "{line}");
        let backwards = line.split(' ').rev().collect::<Vec<_>>().join(" ");
        assert_eq!(backwards.parse::<Preprocessing>(), Ok(preprocessing), "{backwards}");
    }
}

#[test]
fn a_text_that_is_no_preprocessing_says_why() {
    let line = Preprocessing::TORCHVISION.to_string();
    for (from, to, why) in [
        ("224x224", "224x0", "input: expected sides of 1 to 4096 pixels, found 224x0"),
        ("224x224", "4097x224", "input: expected sides"),
        ("224x224", "224", "input: expected a height and a width"),
        ("224x224", "+224x224", "input: expected a height and a width"),
        ("crop:256", "crop:223", "fit: expected a shorter side that covers"),
        ("crop:256", "crop:", "fit: expected squash or a shorter side"),
        ("crop:256", "crop", "fit: expected squash or a shorter side"),
        ("crop:256", "crop:99999999999999999999", "fit: expected squash or a shorter side"),
        ("bilinear", "Bilinear", "interpolation: expected nearest, bilinear or bicubic, found Bilinear"),
        ("rgb", "gbr", "channels: expected rgb or bgr, found gbr"),
        ("divisor=255", "divisor=0", "divisor: expected a positive, finite number, found 0"),
        ("divisor=255", "divisor=nan", "divisor: expected a number, found nan"),
        ("divisor=255", "divisor=255,1", "divisor: expected a number, found 255,1"),
        ("0.485,0.456", "0.485", "mean: expected three numbers with commas"),
        ("0.485", "inf", "mean: expected three numbers with commas"),
        ("0.229", "-0.229", "std: expected positive, finite numbers"),
        (" std", "  std", "expected one of input=..."),
        (" std", " sd", "found \"sd=0.229,0.224,0.225\""),
        ("channels=rgb ", "", "no channels"),
        ("channels=rgb", "channels=rgb channels=rgb", "channels occurs twice"),
    ] {
        let wrong = line.replacen(from, to, 1);
        let error = wrong.parse::<Preprocessing>().expect_err(&wrong).to_string();
        assert!(error.contains(why), "{wrong}: {error}");
        assert!(!error.contains('\n'));
    }
    assert!("".parse::<Preprocessing>().is_err());
}

#[test]
fn pathless_errors_do_not_occur() {
    let error = Image::decode(Path::new("a/b.png"), &bytes("wide.png")[..100]).unwrap_err();
    assert!(error.to_string().starts_with("a/b.png: "), "{error}");
}
