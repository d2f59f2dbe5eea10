use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::common::figure::font;
use crate::common::figure::scene::WIDTH;

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Width, height and bytes of a PNG file, which is decoded whole.
fn decoded(path: &Path) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(fs::File::open(path).map(std::io::BufReader::new).unwrap()).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    (info.width, info.height, bytes)
}

pub(super) fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text"))).map(text).collect()
}

fn text(node: roxmltree::Node<'_, '_>) -> String {
    node.text().unwrap_or_default().to_owned()
}

/// The figure of this name.
pub(super) fn figure(name: &str) -> Figure {
    Figure::all().into_iter().find(|figure| figure.name() == name).unwrap()
}

/// Draws a figure from a file of one row: the first of a sample with some values replaced.
fn with(figure: Figure, header: &str, row: &str, changes: &[(&str, &str)]) -> Result<Drawing, CliError> {
    let folder = folder();
    let mut values: Vec<&str> = row.split(',').collect();
    for (column, value) in changes {
        let index = header.split(',').position(|name| name == *column).unwrap();
        values[index] = value;
    }
    sample::file(folder.path(), &figure.input(), header, &[values.join(",")]);
    Drawing::of(figure, folder.path())
}

#[test]
fn every_figure_is_drawn_whole_and_the_same_twice() {
    let folder = folder();
    sample::all(folder.path());
    let figures = available(folder.path(), Figure::all());
    // All but the parameters and units of tables 2, 4, 5 and 6, and the epochs of the last three.
    assert_eq!(figures.len(), Figure::all().len() - 11);
    for figure in figures {
        let files = draw(figure, folder.path(), folder.path()).unwrap();
        let contents: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        draw(figure, folder.path(), folder.path()).unwrap();
        let again: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(contents == again, "{figure:?}");
        let svg = String::from_utf8(contents[0].clone()).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        let title = root.children().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title"))).unwrap();
        assert_eq!(text(title), figure.title());
        let height: u32 = root.attribute("height").unwrap().parse().unwrap();
        let (width, rows, bytes) = decoded(&files[1]);
        assert_eq!((width, rows), (WIDTH as u32 * raster::SCALE, height * raster::SCALE), "{figure:?}");
        let ink = bytes.iter().filter(|byte| **byte < 0x80).count();
        assert!(ink > 5_000 && ink < bytes.len() / 2, "{figure:?}: {ink} dark of {}", bytes.len());
        assert!(svg.len() < 1_500_000, "{figure:?}: {}", svg.len());
    }
}

#[test]
fn axes_say_what_they_show_and_in_which_unit() {
    let folder = folder();
    sample::all(folder.path());
    let expected: [(Figure, &[&str]); 8] = [
        (figure("figure1"), &["x", "value", "derivative", "a = 0.5, b = 1"]),
        (figure("figure2"), &["epoch", "test accuracy, %", "Leaky ReLU", "data: cifar10; 100 epochs; 5 seeds"]),
        (
            figure("figure4"),
            &[
                "before",
                "after",
                "7: class 7",
                "data: cifar10, the first 8 test images; Gaussian filter: sigma 1 and radius 4, in pixels",
            ],
        ),
        (figure("table1"), &["+5.50 (+4.60 to +6.40)", "data: cifar10; 100 epochs of 45,000 images"]),
        (
            figure("table3"),
            &[
                "test accuracy, difference to ReLU, percentage points",
                "densenet121",
                "+4.40",
                "data: cifar100; 100 epochs of 45,000 images",
            ],
        ),
        (figure("table3_epochs"), &["vgg16", "densenet121", "epoch", "test accuracy, %", "ReLU, affine"]),
        (
            figure("table1_parameters"),
            &[
                "activation layer, in forward order",
                "alpha",
                "sequential6conv: alpha, started from 0.5",
                "sequential6conv: beta, started from 1",
                "seed 0",
                "seed 4",
            ],
        ),
        (figure("table1_units"), &["dead units, %", "PVLU"]),
    ];
    for (figure, expected) in expected {
        let found: HashSet<String> = texts(&Drawing::of(figure, folder.path()).unwrap().svg).into_iter().collect();
        for text in expected {
            assert!(found.contains(*text), "{figure:?}: {text} is not in {found:?}");
        }
    }
}

#[test]
fn what_is_not_of_an_arm_that_is_drawn_is_not_drawn() {
    let folder = folder();
    sample::all(folder.path());
    let parameters = Drawing::of(figure("table1_parameters"), folder.path()).unwrap();
    assert!(!parameters.svg.contains("slope"));
    let rows: Vec<String> = sample::parameters(&["m"], 2, 1).into_iter().filter(|row| row.contains("slope")).collect();
    sample::file(folder.path(), "table1_parameters.csv", sample::PARAMETERS, &rows);
    assert!(!available(folder.path(), Figure::all()).contains(&figure("table1_parameters")));
    let error = Drawing::of(figure("table1_parameters"), folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("table1_parameters.csv: expected rows of arm pvlu below the header, found none"),
        "{error}"
    );
}

#[test]
fn names_of_files_are_those_of_their_figures_and_no_other() {
    let names: HashSet<String> = Figure::all().into_iter().map(Figure::name).collect();
    assert_eq!(names.len(), Figure::all().len());
    for figure in Figure::all() {
        let number = |text: &str| text.chars().find(char::is_ascii_digit).unwrap();
        assert_eq!(number(&figure.name()), number(&figure.title()), "{figure:?}");
        if figure.name().starts_with("table") {
            assert_eq!(figure.input(), format!("{}.csv", figure.name()));
        }
    }
}

#[test]
fn errors_name_file_line_and_column() {
    let run = &sample::runs(1, &["m"], &["pvlu"], 1, "cifar10", "paper")[0];
    let epoch = &sample::epochs(1, &["pvlu"], 1)[0];
    let image = &sample::images(1, 2)[0];
    let units = &sample::units(&["m"], 1, 1)[0];
    let cases = [
        (
            with(figure("table1"), sample::RUNS, run, &[("difference", "0,1")]),
            "line 2: expected 44 values, as in the header, found 45",
        ),
        (
            with(figure("table1"), sample::RUNS, run, &[("difference", "x")]),
            "line 2, column `difference`: expected a number or nothing, found `x`",
        ),
        (
            with(figure("table1"), sample::RUNS, run, &[("seed", "median")]),
            "line 2, column `seed`: expected a whole number, found `median`",
        ),
        (
            with(figure("figure2"), sample::EPOCHS, epoch, &[("epoch", "-1")]),
            "line 2, column `epoch`: expected a whole number, found `-1`",
        ),
        (with(figure("figure2"), sample::RUNS, run, &[]), "line 1: expected a column `epoch`, found none of this name"),
        (
            with(figure("figure4"), sample::IMAGES, image, &[("stage", "later")]),
            "line 2, column `stage`: expected before or after, found `later`",
        ),
        (
            with(figure("figure4"), sample::IMAGES, image, &[("width", "0")]),
            "line 2, column `width`: expected 1 to 400 pixels, found `0`",
        ),
        (
            with(figure("figure4"), sample::IMAGES, image, &[("pixels", "ffé")]),
            "line 2, column `pixels`: expected 24 hexadecimal digits for 3 planes of 2 x 2, found `4 characters: ffé`",
        ),
        (
            with(figure("table1_units"), sample::UNITS, units, &[("order", "1.5")]),
            "line 2, column `order`: expected a whole number, found `1.5`",
        ),
        (
            with(figure("figure1"), "a,b,x,value,derivative", "1,1,,0,0", &[]),
            "line 2, column `x`: expected a number, found ``",
        ),
        (with(figure("table1_units"), "x", "1", &[]), "line 1: expected a column `arm`, found none of this name"),
    ];
    for (result, expected) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(".csv: ") && error.ends_with(expected), "{error}\nis not\n{expected}");
    }
    let folder = folder();
    let missing = Drawing::of(figure("table1"), folder.path()).unwrap_err();
    assert!(matches!(missing, CliError::Read { ref path, .. } if path.ends_with("table1.csv")), "{missing}");
    sample::file(folder.path(), "table1.csv", sample::RUNS, &[]);
    let empty = Drawing::of(figure("table1"), folder.path()).unwrap_err().to_string();
    assert!(empty.ends_with("table1.csv: expected rows below the header, found none"), "{empty}");
    assert!(available(folder.path(), Figure::all()).is_empty());
    fs::write(folder.path().join("table1.csv"), b"arm\n\xff\n").unwrap();
    let bytes = Drawing::of(figure("table1"), folder.path()).unwrap_err().to_string();
    assert!(bytes.ends_with("table1.csv: line 2, column 1: expected UTF-8, found other bytes"), "{bytes}");
    assert_eq!(available(folder.path(), Figure::all()), [figure("table1")]);
}

#[test]
fn values_that_are_missing_or_not_finite_are_left_out() {
    let epoch = &sample::epochs(1, &["pvlu"], 1)[0];
    for value in ["", "NaN", "inf", "-inf", "1e308"] {
        let drawing = with(figure("figure2"), sample::EPOCHS, epoch, &[("test_top1", value)]).unwrap();
        let empty = texts(&drawing.svg).iter().any(|text| text == "no epoch has a test accuracy");
        assert_eq!(empty, value != "1e308", "{value}");
        assert!(!drawing.svg.contains("NaN") && !drawing.svg.contains("inf"), "{value}");
        let run = &sample::runs(1, &["m"], &["pvlu"], 1, "cifar10", "paper")[0];
        with(figure("table1"), sample::RUNS, run, &[("difference", value)]).unwrap();
        with(figure("table1_units"), sample::UNITS, &sample::units(&["m"], 1, 1)[0], &[("share", value)]).unwrap();
        let parameters = &sample::parameters(&["m"], 1, 1)[0];
        with(
            figure("table1_parameters"),
            sample::PARAMETERS,
            parameters,
            &[("median", value), ("first_quartile", value)],
        )
        .unwrap();
        with(figure("figure1"), "a,b,x,value,derivative", "1,1,0,,", &[("value", value)]).unwrap();
    }
}

#[test]
fn a_table_of_relu_alone_says_so() {
    let run = &sample::runs(1, &["m"], &["relu"], 1, "cifar10", "paper")[0];
    let drawing = with(figure("table1"), sample::RUNS, run, &[]).unwrap();
    assert!(texts(&drawing.svg).contains(&"no arm beside ReLU".to_owned()));
}

#[test]
fn one_epoch_one_seed_and_one_point_are_marked() {
    let epoch = &sample::epochs(1, &["pvlu"], 1)[0];
    let run = &sample::runs(1, &["m"], &["pvlu"], 1, "cifar10", "paper")[0];
    let units = &sample::units(&["m"], 1, 1)[0];
    let vermilion = |drawing: Drawing| drawing.svg.matches("Z\" fill=\"#d55e00\"").count();
    // The legend has a mark too.
    assert_eq!(vermilion(with(figure("figure2"), sample::EPOCHS, epoch, &[]).unwrap()), 2);
    assert_eq!(vermilion(with(figure("table1"), sample::RUNS, run, &[("difference", "0.01")]).unwrap()), 1);
    assert_eq!(vermilion(with(figure("table1_units"), sample::UNITS, units, &[("arm", "pvlu")]).unwrap()), 3);
    let point = with(figure("figure1"), "a,b,x,value,derivative", "1,1,0,0.5,1", &[]).unwrap();
    assert_eq!(point.svg.matches("Z\" fill=\"#000000\"").count(), 3);
}

#[test]
fn names_of_any_kind_are_text_and_nothing_else() {
    let arm = "<script>alert(1)</script>&\"'\u{1}\u{ffff}".replace('"', "");
    let epoch = &sample::epochs(1, &["pvlu"], 1)[0];
    let svg = with(figure("figure2"), sample::EPOCHS, epoch, &[("arm", &arm), ("data", "a < b")]).unwrap().svg;
    assert!(
        !svg.contains("<script") && svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;\u{fffd}\u{fffd}"),
        "{svg}"
    );
    assert!(texts(&svg).iter().any(|text| text.starts_with("<script>")));
    // Long names are cut.
    let long = "m".repeat(10_000);
    let run = &sample::runs(1, &[&long], &["pvlu"], 1, "cifar10", "paper")[0];
    let drawing = with(figure("table1"), sample::RUNS, run, &[("arm", &long), ("data", &long)]).unwrap();
    assert!(texts(&drawing.svg).iter().all(|text| font::width(text, 10.0) < WIDTH));
}

#[test]
fn ten_thousand_epochs_take_no_time() {
    let folder = folder();
    sample::file(
        folder.path(),
        "table1_epochs.csv",
        sample::EPOCHS,
        &sample::epochs(10_000, &["relu", "prelu", "pvlu"], 3),
    );
    let begun = Instant::now();
    let drawing = Drawing::of(figure("figure2"), folder.path()).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(drawing.svg.len() < 300_000, "{}", drawing.svg.len());
}

#[test]
fn what_is_too_much_to_draw_is_an_error() {
    let folder = folder();
    let rows: Vec<String> = (0..1_000)
        .flat_map(|model| sample::runs(1, &[&format!("m{model}")], &["pvlu"], 0, "cifar10", "paper"))
        .collect();
    sample::file(folder.path(), "table1.csv", sample::RUNS, &rows);
    let error = Drawing::of(figure("table1"), folder.path()).unwrap_err().to_string();
    assert!(error.contains("table1.csv: expected rows for a figure of at most 12000 pixels"), "{error}");
}

#[test]
fn neither_file_is_replaced_if_one_cannot_be() {
    let (from, to) = (folder(), folder());
    sample::all(from.path());
    fs::create_dir(to.path().join("figure1.png")).unwrap();
    let svg = to.path().join("figure1.svg");
    draw(figure("figure1"), from.path(), to.path()).unwrap_err();
    assert!(!svg.exists());
    fs::write(&svg, "last").unwrap();
    let error = draw(figure("figure1"), from.path(), to.path()).unwrap_err();
    assert!(matches!(error, CliError::Write { ref path, .. } if path.ends_with("figure1.png")), "{error}");
    assert_eq!(fs::read_to_string(&svg).unwrap(), "last");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 2);
}

#[test]
fn the_pixels_of_an_image_are_enlarged_planes() {
    let folder = folder();
    // Red, green / blue, white, and all black after.
    let rows = [
        "0,x,before,2,2,cifar10,1,4,ff0000ff00ff00ff0000ffff".to_owned(),
        format!("0,x,after,2,2,cifar10,1,4,{}", "0".repeat(24)),
    ];
    sample::file(folder.path(), "figure4.csv", sample::IMAGES, &rows);
    let files = draw(figure("figure4"), folder.path(), folder.path()).unwrap();
    let svg = fs::read_to_string(&files[0]).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let image = document.descendants().find(|node| node.tag_name().name() == "image").unwrap();
    let edge = |name| image.attribute(name).unwrap().parse::<f64>().unwrap();
    let (left, top) = (edge("x"), edge("y"));
    assert_eq!([edge("width"), edge("height")], [128.0, 128.0]);
    let (width, _, bytes) = decoded(&files[1]);
    let at = |x: f64, y: f64| {
        let scale = f64::from(raster::SCALE);
        let place = 3 * ((y * scale) as usize * width as usize + (x * scale) as usize);
        [bytes[place], bytes[place + 1], bytes[place + 2]]
    };
    let corners = [(1.0, 1.0), (63.0, 1.0), (64.5, 1.0), (127.0, 63.0), (1.0, 64.5), (127.0, 127.0)];
    let [red, green, blue, white] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    assert_eq!(corners.map(|(x, y)| at(left + x, top + y)), [red, red, green, green, blue, white]);
    assert_eq!(at(left + 20.0, top + 128.0 + 10.0 + 20.0), [0, 0, 0]);
}

#[test]
fn the_rows_of_figure_1_are_those_of_the_function() {
    let rows = figure1_rows(sample::vlu);
    assert_eq!(rows.len(), 4 * 401);
    assert!(rows.iter().all(|row| row.len() == 5));
    assert_eq!(rows[0][..3], ["1", "1", "-10"]);
    assert_eq!(rows[201][..3], ["1", "1", "0.05"]);
    assert_eq!(rows[400][2], "10");
    assert_eq!(rows[200][3..], ["0.000000", "1.000000"]);
}

#[test]
fn the_same_model_on_other_data_is_another() {
    let folder = folder();
    let rows: Vec<String> = ["cifar10", "cifar100"]
        .into_iter()
        .flat_map(|data| sample::runs(5, &["m"], &["relu", "pvlu"], 2, data, "paper"))
        .chain(sample::runs(5, &["other"], &["relu", "pvlu"], 2, "cifar10", "paper"))
        .collect();
    sample::file(folder.path(), "table5.csv", sample::RUNS, &rows);
    let rows: Vec<String> = ["quick", "paper"]
        .into_iter()
        .flat_map(|preset| sample::epochs(3, &["pvlu"], 1).into_iter().map(move |row| row.replace("paper", preset)))
        .collect();
    sample::file(folder.path(), "table1_epochs.csv", sample::EPOCHS, &rows);
    let found = texts(&Drawing::of(figure("table5"), folder.path()).unwrap().svg);
    assert!(found.contains(&"m, cifar10".to_owned()) && found.contains(&"m, cifar100".to_owned()), "{found:?}");
    assert!(found.contains(&"other".to_owned()), "one whose name says which it is has no more: {found:?}");
    let found = texts(&Drawing::of(figure("figure2"), folder.path()).unwrap().svg);
    assert!(found.contains(&"PVLU, quick".to_owned()) && found.contains(&"PVLU, paper".to_owned()), "{found:?}");
}
