//! Classes and activations that a user brings.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, Ran};
use crate::zoo::{command, json, png, weights, zoo};

/// Five classes of two images each, in the parts that the programs know.
fn five_classes(place: &Place) {
    for (class, name) in ["ash", "birch", "cedar", "elm", "fir"].into_iter().enumerate() {
        for part in ["train", "test"] {
            let folder = place.path(format!("trees/{part}/{name}"));
            fs::create_dir_all(&folder).unwrap();
            for index in 0..2 {
                let pixel = |x, y| [x * 3, y * 5, x * y + 40 * index].map(|v: u32| (class as u32 * 50 + v % 40) as u8);
                fs::write(folder.join(format!("{index}.png")), png(32, 32, pixel)).unwrap();
            }
        }
    }
}

/// `zoo ARGUMENTS` with a formula, which has spaces, as the value of a last option.
fn zoo_with(place: &Place, arguments: &str, formula: &str) -> Ran {
    let mut zoo: Command = command(place, arguments);
    zoo.arg(formula);
    Ran::of(zoo)
}

const TUNE: &str = "finetune --weights w.safetensors --dataset folder --data trees";

#[test]
fn a_folder_of_five_classes_trains_five_outputs() {
    let place = Place::new();
    five_classes(&place);
    for classes in [10, 100] {
        weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", classes);
        let head = "--head-epochs 2 --epochs 1 --activation pvlu --out t.safetensors --force --json --quiet";
        let tuned = json(&place, &format!("{TUNE} {head}"));
        let metadata = pvlu_zoo::weights::TensorFile::open(place.path("t.safetensors")).unwrap();
        assert_eq!(metadata.metadata()["pvlu_zoo.classes"], "5", "{classes}");
        assert_eq!(metadata.entries()["linear.weight"].shape, [5, 64]);
        let evaluated = json(&place, "eval --weights t.safetensors --dataset folder --data trees --json");
        assert_eq!(evaluated["top1"], tuned["top1"]);
        let predicted = zoo(&place, "predict --weights t.safetensors trees/test/elm/0.png").succeeded();
        let lines: Vec<&str> = predicted.stdout.lines().skip(1).collect();
        assert_eq!(lines.len(), 5, "{predicted:?}");
        for name in ["ash", "birch", "cedar", "elm", "fir"] {
            assert!(lines.iter().any(|line| line.ends_with(name)), "{name}: {predicted:?}");
        }
    }
}

#[test]
fn a_head_that_stays_says_which_of_its_outputs_are_the_classes() {
    let place = Place::new();
    five_classes(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let ran = zoo(&place, &format!("{TUNE} --activation pvlu --epochs 1 --out t.safetensors")).succeeded();
    assert!(ran.stderr.contains("its outputs 0 to 4 are they, and 5 of 10 outputs are of no class"), "{ran:?}");
    let kept = pvlu_zoo::weights::TensorFile::open(place.path("t.safetensors")).unwrap();
    assert_eq!(kept.metadata()["pvlu_zoo.classes"], "10");
}

#[test]
fn a_formula_is_swapped_in_tuned_and_comes_back_from_the_file() {
    let place = Place::new();
    five_classes(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let formula = "mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1";
    let arguments = format!("{TUNE} --head-epochs 1 --epochs 1 --out t.safetensors --quiet --json --activation");
    let tuned: Value = serde_json::from_str(&zoo_with(&place, &arguments, formula).succeeded().stdout).unwrap();
    assert_eq!((&tuned["activation"], &tuned["trained_elements"]), (&formula.into(), &(2 * 688).into()));
    let evaluated = json(&place, "eval --weights t.safetensors --dataset folder --data trees --json");
    assert_eq!((&evaluated["activation"], &evaluated["top1"]), (&formula.into(), &tuned["top1"]));
    // Written otherwise it is the same, and shown as the file has it.
    let info = zoo_with(
        &place,
        "info cifar_resnet20 --json --activation",
        &formula.replace(' ', "").replace("swap", " swap "),
    )
    .succeeded();
    let info: Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!((&info["activation"], &info["parameters"]), (&formula.into(), &(269_722 + 2 * 688).into()));
}

#[test]
fn a_formula_that_is_none_is_answered_with_a_caret() {
    let place = Place::new();
    let ran = zoo_with(&place, "info cifar_resnet20 --activation", "mine = max(x, 0) + a*sin(x)").failed(2, &["`a`"]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[1..], ["  mine = max(x, 0) + a*sin(x)", &format!("  {}^", " ".repeat(19))], "{ran:?}");
    for (arguments, text) in [("table1 --activations relu,mine=x+b", "mine=x+b"), ("table3 --arms f=x+b", "f=x+b")] {
        let ran = place.run(arguments).failed(2, &["`b`"]);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let place = text.find('b').unwrap();
        assert_eq!(lines[1..], [format!("  {text}"), format!("  {}^", " ".repeat(place))], "{ran:?}");
    }
    zoo(&place, "info cifar_resnet20 --activation geglu").failed_in_one_line(2, &["geglu", "did you mean gelu?"]);
}

/// Tables of a formula beside built-in arms: its rows, parameters and plots.
#[test]
fn a_formula_is_an_arm_of_a_table() {
    let place = Place::new();
    weights(&place.path("cifar10_resnet20.safetensors"), "cifar_resnet20", "relu", 10);
    let small = "--limit-train 40 --limit-test 20 --first-epochs 1 --epochs 1 --batch-size 20 --quiet";
    let snake = "snake2=x+sin(a*x)^2/a;a=1";
    let table3 = format!("table3 {small} --models cifar_resnet20 --weights . --arms relu,pvlu,{snake}");
    place.run(&table3).succeeded();
    let runs = place.csv("table3.csv");
    let arms = runs.rows.iter().filter(|row| row["status"] == "finished").map(|row| row["arm"].as_str());
    assert!(arms.eq(["relu", "pvlu", "snake2"]), "{:?}", runs.rows);
    assert_eq!(
        runs.rows_with(&[("arm", "snake2"), ("seed", "0")])[0]["activation"],
        "snake2 = x + sin(a*x)^2/a; a = 1"
    );
    assert!(!place.csv("table3_parameters.csv").rows_with(&[("arm", "snake2")]).is_empty());
    // The same command again uses what is there; another formula of that name is another run.
    let again = place.run(&table3).succeeded();
    assert_eq!(place.csv("table3.csv").lasting(), runs.lasting(), "{again:?}");
    place.run("merge results --out merged").succeeded();
    let other = place.run(&table3.replace(snake, "snake2=x+sin(a*x)^2/a;a=2")).succeeded();
    assert!(other.stderr.contains("aside"), "{other:?}");
    // An altered built-in one is not what the paper names so, and arms of other tables are passed over.
    place
        .run(&format!("table5 {small} --models cifar_resnet20 --weights . --arms relu,relu_affine,prelu --out five"))
        .succeeded();
    let long = "a".repeat(65);
    place.run(&format!("table1 --activations {long}=x*sigmoid(x)")).failed_in_one_line(2, &["no name of an arm"]);

    let table1 = "table1 --limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --quiet --out other --activations";
    place.run(&format!("{table1} relu,mine=x*sigmoid(a*x);a=1 --activations gelu")).succeeded();
    let text = fs::read_to_string(place.path("other/table1.csv")).unwrap();
    for arm in ["/relu/", "/mine/", "/gelu/"] {
        assert!(text.contains(arm), "{arm} in {text}");
    }
    place.run(&format!("{table1} mine=x*sigmoid(a*x);a=1,mine=x")).failed_in_one_line(2, &["mine twice"]);
    place.run(&format!("{table1} first=x*sigmoid(a*x);a=1")).failed_in_one_line(2, &["first"]);
}

/// Parameters for every channel and pixel: in a table, in a file, and for images of one size.
#[test]
fn slopes_for_each_element_train_and_come_back_for_the_images_that_they_are_of() {
    let place = Place::new();
    let table1 =
        "table1 --limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --quiet --activations relu,prelu_element";
    place.run(table1).succeeded();
    let runs = place.csv("table1.csv");
    let trained =
        |arm: &str| -> f64 { runs.rows_with(&[("arm", arm), ("seed", "0")])[0]["trained_parameters"].parse().unwrap() };
    // Two sites each of 32 channels of 32x32, of 64 of 16x16 and of 128 of 8x8, and one of 512 features.
    let elements = 2 * (32_768 + 16_384 + 8_192) + 512;
    assert_eq!(trained("prelu_element") - trained("relu"), f64::from(elements));
    let parameters = place.csv("table1_parameters.csv");
    assert!(parameters.rows.iter().all(|row| row["arm"] == "prelu_element" && row["parameter"] == "alpha"));
    let minimum = |row: &crate::support::Row| row["minimum"].parse::<f64>().unwrap();
    assert!(parameters.rows.len() == 7 && parameters.rows.iter().any(|row| minimum(row) != 0.0), "they moved from 0");

    five_classes(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tune = "--head-epochs 1 --epochs 1 --activation prelu_element --out t.safetensors --quiet --json";
    let tuned = json(&place, &format!("{TUNE} {tune}"));
    let elements = 7 * 16_384 + 6 * 8_192 + 6 * 4_096;
    assert_eq!((&tuned["activation"], &tuned["trained_elements"]), (&"prelu_element".into(), &elements.into()));
    zoo(&place, "convert t.safetensors c.safetensors").succeeded();
    for file in ["t.safetensors", "c.safetensors"] {
        let metadata = pvlu_zoo::weights::TensorFile::open(place.path(file)).unwrap();
        assert_eq!(metadata.metadata()["pvlu_zoo.image"], "32x32");
        assert_eq!(metadata.entries()["act18.alpha"].shape, [64, 8, 8]);
        let eval = format!("eval --weights {file} --dataset folder --data trees");
        assert_eq!(json(&place, &format!("{eval} --json"))["top1"], tuned["top1"]);
        zoo(&place, &format!("predict --weights {file} trees/test/elm/0.png")).succeeded();
        let sizes = [file, "prelu_element", "are for images of 32x32, not of 64x64"];
        zoo(&place, &format!("{eval} --image 64")).failed_in_one_line(1, &sizes);
        zoo(&place, &format!("predict --weights {file} --image 64 trees/test/elm/0.png")).failed_in_one_line(1, &sizes);
    }
    let info = json(&place, "info cifar_resnet20 --json --activation prelu_element --image 16");
    assert_eq!(info["parameters"], 269_722 + elements / 4);
    let listed = zoo(&place, "list").succeeded();
    assert!(listed.stdout.contains(",prelu_element\n"), "{listed:?}");
}
