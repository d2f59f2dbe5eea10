use super::*;
use crate::activation::{Pvlu, Swish};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};

type Block = Residual<(Conv2D<4, 4, 3, 1, 1, false>, BatchNorm2D<4>, Act<Swish, 4>)>;
type Net = TrunkAndHead<(Conv2D<1, 4, 3, 1, 1>, Act<Pvlu, 4>, Block, Dropout<25>), (GlobalAvgPool2D, Linear<4, 1000>)>;

#[test]
fn every_tensor_counts_where_it_lies_and_as_what_it_is() {
    let mut net = shaken::<Net>(1);
    let line = |summary: &Summary, path: &str| {
        summary.layers.iter().find(|layer| layer.path == path).unwrap_or_else(|| panic!("no {path}")).clone()
    };
    let found = summary(&net, Extent::image(1, 28, 20)).unwrap();
    assert_eq!(found.layers.len(), 9);
    let convolution = line(&found, "trunk.2.main.0");
    assert_eq!(convolution.counts, Counts { trained: 4 * 4 * 9, ..Default::default() });
    assert_eq!(convolution.multiply_adds, 4 * 4 * 9 * 28 * 20);
    assert_eq!(convolution.output, Extent::image(4, 28, 20));
    assert_eq!(line(&found, "trunk.2.main.1").counts, Counts { trained: 8, statistics: 8, ..Default::default() });
    assert_eq!(line(&found, "trunk.2.main.2").counts, Counts { fixed: 4, ..Default::default() });
    assert_eq!(line(&found, "trunk.2").kind, LayerKind::Add);
    assert_eq!(line(&found, "trunk.2").counts, Counts::default(), "the branches have their own lines");
    let trained = (9 * 4 + 4) + 8 + 144 + 8 + 5000;
    assert_eq!(found.totals, Counts { trained, statistics: 8, fixed: 4, frozen: 0 });
    assert_eq!(found.multiply_adds(), 36 * 560 + convolution.multiply_adds + 4000);

    net.freeze_weights(true);
    let frozen = summary(&net, Extent::image(1, 28, 20)).unwrap();
    assert_eq!((frozen.totals.trained, frozen.totals.frozen), (16, trained - 16));
}

#[test]
fn the_table_lines_up() {
    let net = shaken::<Net>(1);
    let table = summary(&net, Extent::image(1, 8, 8)).unwrap().to_string();
    let expected = "\
layer           kind                                      output  parameters
                input                                      1x8x8
trunk.0         Conv2D 3x3, stride 1, padding 1            4x8x8          40
trunk.1         pvlu                                       4x8x8           8
trunk.2.main.0  Conv2D 3x3, stride 1, padding 1, no bias   4x8x8         144
trunk.2.main.1  BatchNorm2D                                4x8x8           8
trunk.2.main.2  swish                                      4x8x8           4
trunk.2         sum of the branches                        4x8x8
trunk.3         Dropout 25 %                               4x8x8
head.0          GlobalAvgPool2D                                4
head.1          Linear                                      1000       5,000
parameters: 5,200 trained, 0 frozen, 4 fixed; running statistics: 8; multiply-adds: 15,520
";
    assert_eq!(table, expected, "{table}");
}

#[test]
fn an_image_that_does_not_fit_is_an_error() {
    let net = shaken::<Net>(1);
    assert_eq!(summary(&net, Extent::image(3, 8, 8)).unwrap_err(), Error::Shape { expected: 1, found: 3 });
}
