use super::*;
use crate::data::IMAGE_LEN;

/// Image `i` is filled with byte `i`.
fn split(labels: &[u16], classes: usize) -> Split {
    let pixels = (0..labels.len()).flat_map(|i| [i as u8; IMAGE_LEN]).collect();
    let coarse = labels.iter().map(|&label| label as u8 / 2).collect();
    Split::new(pixels, labels.to_vec(), Some(coarse), classes).unwrap()
}

fn ids(split: &Split) -> Vec<u8> {
    (0..split.len()).map(|i| split.image(i)[IMAGE_LEN - 1]).collect()
}

#[test]
fn subset_takes_images_labels_and_superclasses_together() {
    let all = split(&[3, 1, 2, 0], 4);
    let part = all.subset(&[2, 0, 2]).unwrap();
    assert_eq!(ids(&part), [2, 0, 2]);
    assert_eq!(part.labels(), [2, 3, 2]);
    assert_eq!(part.label(1), 3);
    assert_eq!(part.coarse_labels().unwrap(), [1, 1, 1]);
    assert_eq!(part.classes(), 4);
    let error = all.subset(&[0, 4]).unwrap_err();
    assert!(matches!(error, DataError::Index { index: 4, len: 4 }), "{error}");
}

#[test]
fn limit_keeps_the_first() {
    let all = split(&[3, 1, 2, 0], 4);
    assert_eq!(ids(&all.limit(2)), [0, 1]);
    assert_eq!(all.limit(2).coarse_labels().unwrap().len(), 2);
    assert_eq!(all.limit(9), all);
    assert!(all.limit(0).is_empty());
}

#[test]
fn validation_is_the_end_of_each_class_in_file_order() {
    // Class 0: images 0, 2, 4, 6, 7. Class 1: 1, 3. Class 2: 5 alone.
    let all = split(&[0, 1, 0, 1, 0, 2, 0, 0], 3);
    let (train, held) = all.split_validation(0.4).unwrap();
    assert_eq!(ids(&train), [0, 1, 2, 4, 5]);
    assert_eq!(ids(&held), [3, 6, 7]);
    assert_eq!(held.coarse_labels().unwrap(), [0, 0, 0]);
    let (train, held) = all.split_validation(0.999).unwrap();
    assert_eq!((ids(&train), ids(&held)), (vec![0, 1, 5], vec![2, 3, 4, 6, 7]));
}

#[test]
fn validation_counts_are_floors() {
    for (count, fraction, expected) in
        [(5000, 0.1, 500), (19, 0.1, 1), (20, 0.1, 2), (100, 0.29, 29), (1, 0.5, 0), (2, 0.01, 1), (3, 0.999_999, 2)]
    {
        assert_eq!(held_out(count, fraction), expected, "{count} {fraction}");
    }
    // Against integers: no fraction of the form a / 100 loses an image to rounding.
    for count in 2..600 {
        for percent in 1..100 {
            let expected = (count * percent / 100).clamp(1, count - 1);
            assert_eq!(held_out(count, percent as f64 / 100.0), expected, "{count} {percent}");
        }
    }
}

#[test]
fn validation_fraction_is_checked() {
    for fraction in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
        let error = split(&[0, 0], 1).split_validation(fraction).unwrap_err();
        assert!(matches!(error, DataError::Setting { name: "fraction held out", .. }), "{error}");
    }
}

#[test]
fn parts_must_fit_together() {
    let error = Split::new(vec![0; IMAGE_LEN - 1], vec![0], None, 1).unwrap_err();
    assert!(matches!(error, DataError::Length { what: "bytes of pixels", expected: 3072, found: 3071 }), "{error}");
    let error = Split::new(vec![0; IMAGE_LEN], vec![0], Some(vec![]), 1).unwrap_err();
    assert!(matches!(error, DataError::Length { expected: 1, found: 0, .. }), "{error}");
    let error = Split::new(vec![0; 2 * IMAGE_LEN], vec![0, 7], None, 7).unwrap_err();
    assert!(matches!(error, DataError::Label { image: 1, label: 7, limit: 7, .. }), "{error}");
}

#[test]
#[should_panic(expected = "image 1 of 1")]
fn an_image_beyond_the_end_panics() {
    let _ = split(&[0], 1).image(1);
}

#[test]
fn images_have_any_shape() {
    let pixels: Vec<u8> = (0..3 * 2 * 5).collect();
    let all = Split::with_shape([1, 2, 5], pixels.clone(), vec![0, 1, 0], None, 2).unwrap();
    assert_eq!((all.shape(), all.image_len()), ([1, 2, 5], 10));
    assert_eq!(all.image(1), &pixels[10..20]);
    let (train, held) = all.split_validation(0.5).unwrap();
    assert_eq!((train.len(), held.shape(), held.image(0)), (2, [1, 2, 5], &pixels[20..]));
    assert_eq!(all.limit(1).image(0), &pixels[..10]);
    assert_ne!(Split::with_shape([5, 2, 1], pixels.clone(), vec![0, 1, 0], None, 2).unwrap(), all);

    let color = split(&[0], 1);
    assert_eq!((color.shape(), color.image_len()), (SHAPE, IMAGE_LEN));
    let short = Split::with_shape([1, 2, 4], pixels, vec![0, 1, 0], None, 2).unwrap_err();
    assert!(matches!(short, DataError::Length { expected: 24, found: 30, .. }), "{short}");
    for shape in [[0, 2, 2], [1, 0, 2], [usize::MAX, 2, 1]] {
        let none = Split::with_shape(shape, Vec::new(), Vec::new(), None, 1).unwrap_err();
        assert!(matches!(none, DataError::Setting { .. }), "{none}");
    }
}

#[test]
fn gray_images_become_three_equal_channels() {
    let gray = Split::with_shape([1, 1, 2], vec![1, 2, 3, 4], vec![0, 1], None, 2).unwrap();
    let color = gray.into_rgb().unwrap();
    assert_eq!((color.shape(), color.image(1)), ([3, 1, 2], &[3, 4, 3, 4, 3, 4][..]));
    assert_eq!(color.clone().into_rgb().unwrap(), color);
    let two = Split::with_shape([2, 1, 1], vec![1, 2], vec![0], None, 1).unwrap();
    let error = two.into_rgb().unwrap_err();
    assert!(error.to_string().contains("expected 1 or 3") && error.to_string().contains('2'), "{error}");
}
