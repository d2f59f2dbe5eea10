use super::*;

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| i as f32).collect()
}

/// Moves every element of a file's tensor by its index alone.
fn reference(layout: StoredLayout, file_shape: &[usize], file: &[f32]) -> Vec<f32> {
    let mut model = vec![f32::NAN; file.len()];
    match (layout, file_shape) {
        (StoredLayout::Same, _) => model.copy_from_slice(file),
        (StoredLayout::Hwio, &[rows, columns, inputs, outputs]) => {
            for (row, column, input, output) in itertools(rows, columns, inputs, outputs) {
                let from = ((row * columns + column) * inputs + input) * outputs + output;
                model[((output * inputs + input) * rows + row) * columns + column] = file[from];
            }
        }
        (StoredLayout::InOut, &[inputs, outputs]) => {
            for (_, _, input, output) in itertools(1, 1, inputs, outputs) {
                model[output * inputs + input] = file[input * outputs + output];
            }
        }
        (StoredLayout::FlattenedInOut { channels, pixels }, &[_, outputs]) => {
            for (_, pixel, channel, output) in itertools(1, pixels, channels, outputs) {
                let from = (pixel * channels + channel) * outputs + output;
                model[(output * channels + channel) * pixels + pixel] = file[from];
            }
        }
        _ => unreachable!(),
    }
    model
}

fn itertools(a: usize, b: usize, c: usize, d: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |i| (i / (b * c * d), i / (c * d) % b, i / d % c, i % d))
}

const CASES: &[(StoredLayout, &[usize])] = &[
    (StoredLayout::Same, &[3, 4, 5]),
    (StoredLayout::Hwio, &[3, 3, 2, 5]),
    (StoredLayout::Hwio, &[1, 1, 33, 47]),
    (StoredLayout::Hwio, &[7, 7, 3, 64]),
    (StoredLayout::Hwio, &[5, 2, 17, 65]),
    (StoredLayout::Hwio, &[2, 16, 1, 64]),
    (StoredLayout::Hwio, &[3, 3, 64, 128]),
    (StoredLayout::Hwio, &[1, 1, 1, 1]),
    (StoredLayout::InOut, &[300, 401]),
    (StoredLayout::InOut, &[35, 1100]),
    (StoredLayout::InOut, &[16, 512]),
    (StoredLayout::InOut, &[1, 9]),
    (StoredLayout::InOut, &[9, 1]),
    (StoredLayout::FlattenedInOut { channels: 8, pixels: 49 }, &[392, 203]),
    (StoredLayout::FlattenedInOut { channels: 5, pixels: 1 }, &[5, 3]),
];

#[test]
fn every_layout_moves_each_element_to_its_place() {
    for (layout, shape) in CASES {
        let file = numbers(shape.iter().product());
        let mut model = vec![f32::NAN; file.len()];
        layout.to_model(shape, &file, &mut model);
        assert_eq!(model, reference(*layout, shape, &file), "{layout:?} {shape:?}");
    }
}

#[test]
fn a_layout_and_back_is_the_same() {
    for (layout, shape) in CASES {
        let file = numbers(shape.iter().product());
        let (mut model, mut back) = (file.clone(), file.clone());
        layout.to_model(shape, &file, &mut model);
        layout.to_file(shape, &model, &mut back);
        assert_eq!(back, file, "{layout:?} {shape:?}");
    }
}

#[test]
fn a_tensor_without_elements_stays_empty() {
    StoredLayout::Hwio.to_model::<f32>(&[3, 3, 0, 4], &[], &mut []);
    StoredLayout::InOut.to_file::<f32>(&[0, 4], &[], &mut []);
}

#[test]
fn the_shape_in_the_file_follows_from_that_in_the_model() {
    assert_eq!(StoredLayout::Hwio.file_shape(&[64, 3, 7, 5]), Some(vec![7, 5, 3, 64]));
    assert_eq!(StoredLayout::InOut.file_shape(&[10, 512]), Some(vec![512, 10]));
    let flattened = StoredLayout::FlattenedInOut { channels: 512, pixels: 49 };
    assert_eq!(flattened.file_shape(&[4096, 25088]), Some(vec![25088, 4096]));
    assert_eq!(flattened.file_shape(&[4096, 25087]), None);
    assert_eq!(StoredLayout::Hwio.file_shape(&[64, 3]), None);
}
