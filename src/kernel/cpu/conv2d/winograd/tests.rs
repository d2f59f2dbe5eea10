use super::*;
use crate::kernel::cpu::conv2d::reference;
use crate::kernel::cpu::testing::{bits, narrow, relative_l2, same_everywhere, values};

/// `[N, C, H, W, O]` and padding.
const SHAPES: [([usize; 5], usize); 10] = [
    ([1, 1, 1, 1, 1], 1),
    ([2, 3, 5, 7, 4], 1),
    ([3, 1, 9, 4, 5], 0),
    ([5, 33, 3, 2, 7], 2),
    ([1, 5, 31, 29, 3], 1),
    ([7, 40, 8, 8, 70], 1),
    ([40, 17, 2, 2, 33], 1),
    ([2, 35, 61, 50, 9], 1),
    ([9, 16, 4, 4, 32], 1),
    ([150, 5, 8, 8, 20], 1),
];

fn shapes() -> impl Iterator<Item = ConvShape> {
    SHAPES.into_iter().map(|([batch, in_channels, in_height, in_width, out_channels], padding)| ConvShape {
        batch,
        in_channels,
        in_height,
        in_width,
        out_channels,
        kernel: 3,
        stride: 1,
        padding,
    })
}

fn check<E: Element>(bound: f64) {
    for shape in shapes() {
        let (x, weight) = (values(shape.input_len(), 1), values(shape.weight_len(), 2));
        let (bias, grad_output) = (values(shape.out_channels, 3), values(shape.output_len(), 4));
        let mut want = vec![0.0; shape.output_len()];
        reference::forward(&shape, &x, &weight, &bias, &mut want);
        let mut want_x = vec![0.5; x.len()];
        reference::backward_input(&shape, &weight, &grad_output, &mut want_x);
        let mut want_weight = vec![0.5; weight.len()];
        reference::backward_weight(&shape, &x, &grad_output, &mut want_weight);
        let (x, weight, bias): (Vec<E>, Vec<E>, Vec<E>) = (narrow(&x), narrow(&weight), narrow(&bias));
        let grad_output: Vec<E> = narrow(&grad_output);
        for tile in [Tile::Two, Tile::Four] {
            let mut y = vec![E::nan(); want.len()];
            forward(tile, &shape, &x, &weight, Some(&bias), &mut y);
            let error = relative_l2(&y, &want);
            assert!(error < bound, "{tile:?} forward {error:e} {shape:?}");
            let mut grad_x = vec![E::of(0.5); x.len()];
            backward_input(tile, &shape, &weight, &grad_output, Start::Add, &mut grad_x);
            let error = relative_l2(&grad_x, &want_x);
            assert!(error < bound, "{tile:?} input {error:e} {shape:?}");
            let mut grad_weight = vec![E::of(0.5); weight.len()];
            backward_weight(tile, &shape, &x, &grad_output, &mut grad_weight);
            let error = relative_l2(&grad_weight, &want_weight);
            assert!(error < bound, "{tile:?} weight {error:e} {shape:?}");
        }
    }
}

#[test]
fn every_tile_matches_the_formula() {
    check::<f64>(1e-13);
    check::<f32>(1e-5);
}

#[test]
fn the_choice_follows_the_work() {
    let tile = |batch, in_channels, out_channels, side| {
        let (in_height, in_width) = (side, side);
        let shape =
            ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel: 3, stride: 1, padding: 1 };
        choose(&shape)
    };
    assert_eq!(tile(32, 64, 64, 32), Some(Tile::Four));
    assert_eq!(tile(32, 512, 512, 4), Some(Tile::Four));
    assert_eq!(tile(32, 512, 512, 2), Some(Tile::Two));
    assert_eq!(tile(32, 3, 64, 32), None);
    assert_eq!(tile(32, 2, 2, 32), None);
}

#[test]
fn threads_what_tasks_they_choose_and_levels_do_not_change_a_bit() {
    for (shape, tile) in shapes().flat_map(|shape| [(shape, Tile::Two), (shape, Tile::Four)]) {
        let run = || {
            let [x, weight, grad_output] =
                [shape.input_len(), shape.weight_len(), shape.output_len()].map(|len| narrow(&values(len, len as u64)));
            let (mut y, mut grad_x) = (vec![f32::NAN; grad_output.len()], vec![f32::NAN; x.len()]);
            let mut grad_weight = vec![0.25; weight.len()];
            forward(tile, &shape, &x, &weight, None, &mut y);
            backward_input(tile, &shape, &weight, &grad_output, Start::Replace(None), &mut grad_x);
            backward_weight(tile, &shape, &x, &grad_output, &mut grad_weight);
            [y, grad_x, grad_weight].concat().iter().map(|value: &f32| value.to_bits()).collect::<Vec<_>>()
        };
        // Eight threads share out a block's filters where one takes whole blocks.
        same_everywhere((tile, shape), run);
    }
}

#[test]
fn rounds_of_weight_gradients_end_at_the_same_tiles_at_every_level() {
    // Too many sums for parts, and more tiles than a round has.
    let shape = ConvShape {
        batch: 50,
        in_channels: 112,
        in_height: 8,
        in_width: 8,
        out_channels: 104,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let (x, grad_output): (Vec<f32>, Vec<f32>) =
        (narrow(&values(shape.input_len(), 1)), narrow(&values(shape.output_len(), 2)));
    same_everywhere(shape, || {
        let mut grad = vec![0.0; shape.weight_len()];
        backward_weight(Tile::Four, &shape, &x, &grad_output, &mut grad);
        bits(&grad)
    });
}
