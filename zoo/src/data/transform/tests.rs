use super::*;
use crate::data::{IMAGE_LEN, PLANE, SIDE};
use crate::image::Preprocessing;

const SIZE: (usize, usize) = (SIDE, SIDE);

/// Distinct values within each row and column of a plane.
fn image() -> Vec<u8> {
    (0..IMAGE_LEN).map(|i| (1 + (i % SIDE) * 7 + (i / SIDE % SIDE) * 3 + i / PLANE * 50) as u8).collect()
}

fn table() -> [[f32; 256]; CHANNELS] {
    Preprocessing::CIFAR10.tables()
}

fn apply(change: Change) -> Vec<f32> {
    let mut out = vec![0.0; IMAGE_LEN];
    let (image, table) = (image(), table());
    let planes = Planes { pixels: &image[..], size: SIZE, channels: Channels::Rgb };
    change.apply(planes, |channel, byte: u8| table[channel][usize::from(byte)], &mut out);
    out
}

/// The definition, one pixel at a time.
fn reference(change: Change) -> Vec<f32> {
    let (image, table, side) = (image(), table(), SIDE as isize);
    let mut out = Vec::with_capacity(IMAGE_LEN);
    for channel in 0..CHANNELS {
        for y in 0..side {
            for x in 0..side {
                let [from_y, mut from_x] = [y - change.shift[0], x - change.shift[1]];
                let within = |v: isize| (0..side).contains(&v);
                let erased = change.hole.is_some_and(|[rows, columns]| {
                    (rows[0]..rows[1]).contains(&(y as usize)) && (columns[0]..columns[1]).contains(&(x as usize))
                });
                if erased || !within(from_y) || !within(from_x) {
                    out.push(0.0);
                    continue;
                }
                if change.flip {
                    from_x = side - 1 - from_x;
                }
                let byte = image[channel * PLANE + from_y as usize * SIDE + from_x as usize];
                out.push(table[channel][usize::from(byte)]);
            }
        }
    }
    out
}

#[test]
fn every_change_is_its_definition() {
    assert_eq!(apply(Change::NONE), reference(Change::NONE));
    for flip in [false, true] {
        for shift in [[0, 0], [3, 0], [-3, 0], [0, 5], [0, -5], [4, -4], [-31, 31], [31, -31]] {
            for hole in [None, Some([[0, 8], [24, 32]]), Some([[5, 6], [7, 23]])] {
                let change = Change { flip, shift, hole };
                assert_eq!(apply(change), reference(change), "{change:?}");
            }
        }
    }
}

#[test]
fn an_image_of_any_size_is_changed_and_its_planes_come_in_any_order() {
    // 2 rows of 3 columns.
    let bytes: Vec<u8> = (0..18).collect();
    let tables: [[f32; 256]; CHANNELS] =
        std::array::from_fn(|channel| std::array::from_fn(|byte| (100 * channel + byte) as f32));
    let apply = |change: Change, channels| {
        let mut out = vec![0.0; 18];
        let look_up = |channel: usize, byte: u8| tables[channel][usize::from(byte)];
        change.apply(Planes { pixels: &bytes[..], size: (2, 3), channels }, look_up, &mut out);
        out
    };
    let change = Change { flip: true, shift: [1, -1], hole: None };
    let zeros = [0.0; 3];
    assert_eq!(
        apply(change, Channels::Rgb),
        [zeros, [1.0, 0.0, 0.0], zeros, [107.0, 106.0, 0.0], zeros, [213.0, 212.0, 0.0]].concat()
    );
    assert_eq!(
        apply(change, Channels::Bgr),
        [zeros, [13.0, 12.0, 0.0], zeros, [107.0, 106.0, 0.0], zeros, [201.0, 200.0, 0.0]].concat()
    );
    let augmentation = Augmentation { flip: true, shift: 28, cutout: Some(60), ..Augmentation::NONE };
    assert!(augmentation.check((224, 224), 3).is_ok() && augmentation.check((224, 28), 3).is_err());
    assert_eq!(square(220, 60, 224), [190, 224]);
}

#[test]
fn normalization_is_its_formula() {
    let out = apply(Change::NONE);
    let image = image();
    for at in [0, 1, PLANE, PLANE + 33, 2 * PLANE + 500] {
        let channel = at / PLANE;
        let expected =
            (f64::from(image[at]) / 255.0 - [0.4914, 0.4822, 0.4465][channel]) / [0.2470, 0.2435, 0.2616][channel];
        assert!((f64::from(out[at]) - expected).abs() < 1e-6, "{at}");
    }
}

#[test]
fn measured_is_mean_and_deviation() {
    // Red: half 0, half 255. Green: 0, 51, 102, 153 in turn. Blue: one pixel of 2048 differs.
    let mut pixels = Vec::new();
    for image in 0..2 {
        pixels.extend([if image == 0 { 0 } else { 255 }; PLANE]);
        pixels.extend((0..PLANE).map(|i| (i % 4 * 51) as u8));
        pixels.extend((0..PLANE).map(|i| if image == 1 && i == 9 { 201 } else { 200 }));
    }
    let split = Split::new(pixels, vec![0, 0], None, 1).unwrap();
    let measured = Normalization::measured(&split).unwrap();
    let share = 1.0 / 2048.0_f64;
    let expected_mean = [0.5, 0.3, (200.0 + share) / 255.0];
    let expected_std = [0.5, 0.05_f64.sqrt(), (share * (1.0 - share)).sqrt() / 255.0];
    for channel in 0..CHANNELS {
        let [mean, std] = [f64::from(measured.mean[channel]), f64::from(measured.std[channel])];
        assert!((mean / expected_mean[channel] - 1.0).abs() < 1e-7, "{mean}");
        assert!((std / expected_std[channel] - 1.0).abs() < 1e-7, "{std}");
    }
}

#[test]
fn measuring_needs_images_that_differ() {
    let empty = Split::new(vec![], vec![], None, 1).unwrap();
    assert!(matches!(Normalization::measured(&empty), Err(DataError::NoImages { .. })));
    let flat = Split::new(vec![9; IMAGE_LEN], vec![0], None, 1).unwrap();
    assert!(matches!(Normalization::measured(&flat), Err(DataError::Setting { .. })));
}

#[test]
fn settings_are_checked() {
    let standard = Augmentation::STANDARD;
    assert!(standard.check(SIZE, 3).is_ok());
    assert!(Augmentation { shift: 31, cutout: Some(32), ..standard }.check(SIZE, 3).is_ok());
    assert!(Augmentation { shift: 32, ..standard }.check(SIZE, 3).is_err());
    assert!(Augmentation { cutout: Some(0), ..standard }.check(SIZE, 3).is_err());
    assert!(Augmentation { cutout: Some(33), ..standard }.check(SIZE, 3).is_err());
    for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(Normalization { std: [1.0, 1.0, std], ..Normalization::NONE }.check().is_err(), "{std}");
    }
    assert!(Normalization { mean: [f32::NAN, 0.0, 0.0], ..Normalization::NONE }.check().is_err());
}

#[test]
fn squares_are_clipped() {
    assert_eq!(square(16, 16, SIDE), [8, 24]);
    assert_eq!(square(0, 16, SIDE), [0, 8]);
    assert_eq!(square(31, 16, SIDE), [23, 32]);
    assert_eq!(square(5, 1, SIDE), [5, 6]);
    assert_eq!(square(5, 3, SIDE), [4, 7]);
    assert_eq!(square(0, 1, SIDE), [0, 1]);
    assert_eq!(square(16, 32, SIDE), [0, 32]);
}

#[test]
fn draws_cover_their_range_evenly() {
    let augmentation = Augmentation { flip: true, shift: 2, cutout: Some(4), ..Augmentation::NONE };
    let changes: Vec<Change> = (0..10_000).map(|index| augmentation.draw(7, 3, index, SIZE)).collect();
    let count = |f: &dyn Fn(&Change) -> bool| changes.iter().filter(|change| f(change)).count();
    // Five standard deviations: 250 and 200.
    assert!(count(&|c| c.flip).abs_diff(5000) < 250);
    for axis in 0..2 {
        for step in -2..=2 {
            assert!(count(&|c| c.shift[axis] == step).abs_diff(2000) < 200);
        }
        // Center 31 leaves rows 29 to 31.
        assert!(count(&|c| c.hole.unwrap()[axis] == [29, 32]).abs_diff(312) < 88);
    }
}

#[test]
fn draws_are_keyed_and_independent_of_each_other() {
    let all = Augmentation { flip: true, shift: 4, cutout: Some(16), ..Augmentation::NONE };
    let without = Augmentation { cutout: None, ..all };
    let keys = [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)];
    let changes = keys.map(|(seed, epoch, index)| all.draw(seed, epoch, index, SIZE));
    for (i, &(seed, epoch, index)) in keys.iter().enumerate() {
        assert_eq!(all.draw(seed, epoch, index, SIZE), changes[i]);
        assert_eq!(without.draw(seed, epoch, index, SIZE), Change { hole: None, ..changes[i] });
        assert!(changes[..i].iter().all(|change| *change != changes[i]));
    }
    assert!((0..50).all(|index| Augmentation::NONE.draw(1, 1, index, SIZE) == Change::NONE));
}
