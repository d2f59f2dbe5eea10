//! Protocols in files: those of the tables give the tables, changed ones do what they say, and wrong ones are refused.

#[path = "protocols/going_on.rs"]
mod going_on;
#[path = "protocols/refusals.rs"]
mod refusals;

use std::fs;

use serde_json::Value;

use crate::support::{Place, Ran, with_data, write_cifar100};
use crate::zoo::{png, weights};

/// A comparison of one's own: class folders, a network from a file, two built-in arms and a formula, SGD with steps.
const LEAVES: &str = r#"
name = "leaves"
title = "Activations on photographs of leaves"
start = "pretrained"
from_paper = ["arms.pvlu"]

[data]
set = "folder"
path = "leaves"
side = 32
held_out = 0.25

[augmentation]
flip = true
shift = 2

[budget.full]
networks = ["resnet18"]
seeds = [0, 1]
first_epochs = 1
epochs = 2
batch_size = 8

[budget.quick]
seeds = [0]
epochs = 1
train_images = 15

[pretrained]
transfer = true
weights = "resnet18.safetensors"

[trains]
first = ["head"]
arms = ["activations", "batch-norm", "statistics"]

[optimizer]
kind = "sgd"
momentum = 0.9
nesterov = true
weight_decay = 5e-4
first_learning_rate = 1e-2
learning_rate = 1e-3

[schedule]
kind = "step"
every = 1
factor = 0.5

[comparison]
base = "relu"
proposed = "bent"

[[arms]]
activation = "relu"

[[arms]]
activation = "pvlu"

[[arms]]
activation = "bent = max(x, 0) + a*sin(x); a = 0.1 swap 0"
"#;

/// Five classes of images of their own colors, of several sizes, in `train` and `test`.
fn leaves(place: &Place) {
    for (class, name) in ["ash", "elm", "fir", "oak", "yew"].into_iter().enumerate() {
        for (part, count) in [("train", 5), ("test", 2)] {
            let folder = place.path("leaves").join(part).join(name);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                let shade = |x: u32, y: u32| (40 * class as u32 + 3 * x + 5 * y + 7 * index) as u8;
                let pixels = png(36 + index, 40, |x, y| [shade(x, y), shade(y, x), 50 * class as u8]);
                fs::write(folder.join(format!("{index}.png")), pixels).unwrap();
            }
        }
    }
}

/// MNIST's files with few images, in the folder `mnist`: each digit a gray of its own.
fn digits(place: &Place) {
    fs::create_dir(place.path("mnist")).unwrap();
    for (part, count) in [("train", 60_u8), ("t10k", 20)] {
        let file = |kind: &str, magic: u8, sides: &[u8], values: Vec<u8>| {
            let sizes = [&[count], sides].concat();
            let header = sizes.iter().flat_map(|size| [0, 0, 0, *size]);
            let bytes: Vec<u8> = [0, 0, 8, magic].into_iter().chain(header).chain(values).collect();
            fs::write(place.path(format!("mnist/{part}-{kind}-idx{magic}-ubyte")), bytes).unwrap();
        };
        let label = |image: u8| image % 10;
        file("labels", 1, &[], (0..count).map(label).collect());
        let pixels = |image: u8| (0..784_u32).map(move |at| 20 * label(image) + (at * 7 % 23) as u8);
        file("images", 3, &[28, 28], (0..count).flat_map(pixels).collect());
    }
}

/// A place with the protocol, its images and its weights.
fn with_leaves() -> Place {
    let place = Place::new();
    fs::write(place.path("mine.toml"), LEAVES).unwrap();
    leaves(&place);
    weights(&place.path("resnet18.safetensors"), "resnet18", "relu", 10);
    place
}

/// The names and contents of the files in `results` of which the same command always writes the same bytes.
fn files(place: &Place) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let path = place.path("results").join(&name);
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => format!("{:?}", place.csv(&name).lasting()).into_bytes(),
            Some("json") => {
                let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                // The number of threads is one of the machine's values.
                (json["seconds"], json["machines"]) = (Value::Null, Value::Null);
                json.to_string().into_bytes()
            }
            _ => fs::read(&path).unwrap(),
        };
        (name, bytes)
    };
    let is_file = |name: &String| place.path("results").join(name).is_file();
    place.results().into_iter().filter(is_file).map(read).collect()
}

/// The lines that a command prints, but for the times at the ends of those with numbers.
fn printed(ran: &Ran) -> Vec<String> {
    let timed = |line: &&str| line.split_whitespace().count() > 12;
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((rest, _)) if timed(&line) => rest.trim_end().to_owned(),
        _ => line.to_owned(),
    };
    ran.stdout.lines().map(line).collect()
}

#[test]
fn the_protocol_that_a_table_shows_gives_the_files_of_the_table() {
    let tables = [
        ("table1", "--limit-train 60 --limit-test 20 --epochs 2 --seeds 0,1 --batch-size 20", "--activations", ""),
        (
            "table3",
            "--limit-train 60 --limit-test 20 --first-epochs 1 --epochs 1 --seeds 0 --batch-size 20",
            "--arms",
            " --models cifar_resnet20 --weights .",
        ),
    ];
    for (table, options, flag, more) in tables {
        let places = [Place::new(), Place::new()];
        for place in &places {
            weights(&place.path("cifar10_resnet20.safetensors"), "cifar_resnet20", "relu", 10);
        }
        let [of_table, of_protocol] = &places;
        let arms = "relu,prelu,pvlu";
        let direct = of_table.run(&format!("{table} {options} {flag} {arms}{more}")).succeeded();
        let shown = of_protocol.run(&format!("show {table}")).succeeded().stdout;
        fs::write(of_protocol.path("mine.toml"), &shown).unwrap();
        let through = of_protocol.run(&format!("run mine.toml {options} --arms {arms}{more}")).succeeded();
        assert_eq!(printed(&direct), printed(&through));
        let (direct, through) = (files(of_table), files(of_protocol));
        assert!(direct.len() >= 10, "{table}: {} files", direct.len());
        assert!(direct == through, "{table}: the files differ");
        // The runs of the one are those of the other, so that nothing is done again.
        let again = of_protocol.run(&format!("{table} {options} {flag} {arms}{more} --resume")).succeeded();
        assert!(again.stderr.contains("runs were finished before"), "{again:?}");
    }
}

#[test]
fn every_table_is_shown_as_a_protocol_that_plans_the_same_runs() {
    let place = Place::new();
    for table in 1..=6 {
        let shown = place.run(&format!("show table{table}")).succeeded().stdout;
        assert!(shown.contains("\nfrom_paper = [\n") && shown.contains(&format!("name = \"table{table}\"")), "{shown}");
        fs::write(place.path("t.toml"), &shown).unwrap();
        let options = "--preset quick --limit-train 40 --limit-test 20 --json";
        let plan = |of: &str| place.run(&format!("plan {of} {options}")).succeeded().stdout;
        assert_eq!(plan("t.toml"), plan(&format!("table{table}")));
    }
    place.run("show table7").failed(2, &["table7", "table1"]);
}

#[test]
fn a_wrong_protocol_is_refused_with_its_place() {
    let place = with_leaves();
    let cases = [
        ("factor = 0.5", "factor = 0.5\nevry = 2", "mine.toml:49:1: unknown key \"evry\" in [schedule]", "every"),
        ("epochs = 2", "epochs = 0", "mine.toml:21:10: budget.full.epochs: expected a whole number from 1", "found 0"),
        ("\"resnet18\"]", "\"resnet19\"]", "mine.toml:18:13: budget.full.networks: unknown network", "resnet18"),
        ("base = \"relu\"", "base = \"elu\"", "mine.toml:51:8: comparison.base", "did you mean"),
        ("\"bent = max(x, 0)", "\"bent = max(y, 0)", "mine.toml:61:14: arms.activation: `y` is neither x", "y"),
        ("[schedule]", "[schedule", "mine.toml:", "expected TOML"),
        ("held_out = 0.25", "", "mine.toml:7:2: the key `held_out` is missing in [data]", "a share between 0 and 1"),
        ("nesterov = true", "nesterov = 1", "mine.toml:40:12: optimizer.nesterov: expected true or false", "found 1"),
        (
            "\"leaves\"\ntitle",
            "\"table4\"\ntitle",
            "mine.toml:2:8: name: table4 is a table of the paper",
            "choose another",
        ),
        ("[\"arms.pvlu\"]", "[\"arms.vlu\"]", "mine.toml:5:15: from_paper", "arms.vlu"),
        ("every = 1", "every = 1\nwarm_up = 3", "mine.toml:48:11: schedule.warm_up: expected at most 1", "found 3"),
        ("every = 1", "milestones = []", "mine.toml:47:14: schedule.milestones: expected an epoch", "found none"),
        ("every = 1", "milestones = [2, 1.5]", "mine.toml:47:18: schedule.milestones", "greater than that before"),
        (
            "[trains]",
            "procedural = { images = 9, epochs = 1, batch_size = 3, learning_rate = 1e-3, seed = 0 }\n[trains]",
            "mine.toml:33:1: pretrained.procedural: expected with a published set",
            "folder",
        ),
    ];
    for (old, new, place_of, more) in cases {
        assert!(LEAVES.contains(old), "{old}");
        fs::write(place.path("mine.toml"), LEAVES.replacen(old, new, 1)).unwrap();
        place.run("run mine.toml").failed_in_one_line(2, &[place_of, more]);
    }
    assert!(!place.path("results").exists() || place.results().is_empty());
    place.run("run none.toml").failed_in_one_line(1, &["none.toml", "no such file"]);
    // Edited under the name of a table, it would be mixed up with that.
    let table = place.run("show table1").succeeded().stdout.replace("kind = \"constant\"", "kind = \"cosine\"");
    fs::write(place.path("mine.toml"), table).unwrap();
    place.run("run mine.toml").failed_in_one_line(
        2,
        &["mine.toml:4:8", "schedule.kind is constant there, here cosine", "choose another name"],
    );
}

#[test]
fn options_replace_values_of_a_protocol_and_those_without_a_meaning_are_refused() {
    let place = Place::new();
    write_cifar100(&place.path("data"), 60, 20);
    let table = place.run("show table1").succeeded().stdout.replace("\"table1\"", "\"flat\"");
    let table = table.replace("kind = \"adam\"", "kind = \"adamw\"\nweight_decay = 0.01");
    fs::write(place.path("flat.toml"), &table).unwrap();
    place.run("run flat.toml --weights x").failed_in_one_line(2, &["--weights", "flat", "from scratch"]);
    place.run("run flat.toml --cutout 4").failed_in_one_line(2, &["--cutout", "flat", "no such value"]);
    place.run("run flat.toml --arms relu_affine").failed_in_one_line(2, &["--arms", "relu_affine", "pvlu"]);
    // One arm that there is not is not left out without a word.
    place.run("run flat.toml --arms relu,relu_affine").failed_in_one_line(2, &["--arms", "flat has no relu_affine"]);
    let other = table.replace("quick_classes = 10", "quick_classes = 12");
    fs::write(place.path("other.toml"), other).unwrap();
    place.run("run other.toml").failed_in_one_line(2, &["quick_classes: expected 10 or 100, found 12"]);
    let ran =
        place.run("run flat.toml --preset quick --epochs 1 --seeds 0 --arms relu,gelu,pvlu --shift 1").succeeded();
    assert!(ran.stderr.contains("--shift: flat does not use it"), "{ran:?}");
    let rows = place.csv("flat.csv");
    let arms: Vec<&str> = rows.rows[..3].iter().map(|row| row["arm"].as_str()).collect();
    assert_eq!(arms, ["relu", "gelu", "pvlu"]);
    assert_eq!(rows.rows[0]["preset"], "quick, 1 of 6 epochs");
    // The paper's numbers are not those of another protocol.
    assert!(rows.rows.iter().all(|row| row["paper_top1"].is_empty() && row["data"] == "cifar100"));
    // Other settings are other runs.
    fs::write(place.path("flat.toml"), table.replace("weight_decay = 0.01", "weight_decay = 0.02")).unwrap();
    let options = "--preset quick --epochs 1 --seeds 0 --arms relu,gelu,pvlu --quiet";
    let said = ["flat-sequential6conv-relu-0.json", "optimizer is adamw", "weight_decay=1e-2", "here adamw"];
    place.run(&format!("run flat.toml {options} --resume")).failed_in_one_line(2, &said);
    let moved = place.run(&format!("run flat.toml {options}")).succeeded();
    assert!(moved.stderr.contains("moved aside to results/aside/1"), "{moved:?}");
    // A set that is not there, and no images in place of it.
    let without = table.replace("[data.procedural]\nseed = 2024\nquick_classes = 10\n", "");
    fs::write(place.path("flat.toml"), without).unwrap();
    fs::remove_dir_all(place.path("data")).unwrap();
    place.run("run flat.toml").failed_in_one_line(2, &["flat: no CIFAR-100 given", "--data"]);
    let command = with_data(place.command("run flat.toml --dry-run"), place.path("none"));
    assert_eq!(Ran::of(command).code, Some(1));
}

#[test]
fn a_comparison_of_ones_own_has_all_that_a_table_has() {
    let place = with_leaves();
    let plan = place.run("plan mine.toml").succeeded().stdout;
    assert_eq!(plan.lines().count(), 6, "{plan}");
    assert!(plan.lines().any(|line| line == "leaves/resnet18/bent/1"), "{plan}");
    let dry = place.run("run mine.toml --dry-run").succeeded();
    assert!(dry.stdout.contains("6 runs, about") && place.results().is_empty(), "{dry:?}");
    let ran = place.run("run mine.toml").succeeded();
    assert!(ran.stderr.contains("data: 5 classes in leaves"), "{ran:?}");
    for words in ["Activations on photographs of leaves", "data folder, preset full, 1 + 2 epochs, 2 seeds", "planned"]
    {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    let table = place.csv("leaves.csv");
    assert_eq!(table.rows.len(), 6 + 3 * 2);
    for row in &table.rows {
        let fields = ["data", "preset", "pretrained", "classes", "train_images", "val_images", "test_images"];
        let found = fields.map(|field| row[field].as_str());
        assert_eq!(found, ["folder", "full", "resnet18.safetensors", "5", "20", "5", "10"]);
        assert_eq!((row["paper_top1"].as_str(), row["data_warnings"].as_str()), ("", ""));
    }
    let kind = |arm: &str| table.rows_with(&[("arm", arm), ("seed", "mean")])[0]["comparison"].clone();
    assert_eq!(["relu", "pvlu", "bent"].map(kind), ["", "exploratory", "planned"]);
    let rates: Vec<String> =
        place.csv("leaves_epochs.csv").rows.iter().map(|row| row["learning_rate"].clone()).collect();
    assert_eq!(rates[..2], ["1e-3", "5e-4"], "a step each epoch");
    for name in ["leaves", "leaves_epochs", "leaves_parameters", "leaves_units"] {
        for ending in ["csv", "svg", "png"] {
            assert!(place.path(format!("results/{name}.{ending}")).is_file(), "{name}.{ending}");
        }
    }
    let figure = fs::read_to_string(place.path("results/leaves_parameters.svg")).unwrap();
    assert!(figure.contains("what bent learned"), "{figure:.500}");
    assert_eq!(fs::read_to_string(place.path("results/leaves_protocol.toml")).unwrap(), LEAVES);
    let record = fs::read_to_string(place.path("results/runs/leaves-resnet18-bent-1.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["config"]["optimizer"], "sgd momentum=9e-1 nesterov=true weight_decay=5e-4");
    assert_eq!(record["config"]["schedule"], "step every=1 factor=5e-1");

    place.run("report").succeeded();
    let report = fs::read_to_string(place.path("results/report.md")).unwrap();
    for words in [
        "## leaves\n",
        "Activations on photographs of leaves",
        "The planned comparison is that of bent to ReLU",
        "| leaves: budget.full.epochs | 2 | chosen |",
        "| leaves: arms.pvlu | pvlu | paper |",
        "](leaves_epochs.svg)",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }

    // The same table of runs that were done apart.
    let whole = files(&place);
    let parts = ["leaves/resnet18/relu/0,leaves/resnet18/relu/1,leaves/resnet18/pvlu/0", "leaves/resnet18/pvlu/1"];
    for (number, only) in parts.iter().chain(&["leaves/resnet18/bent/0,leaves/resnet18/bent/1"]).enumerate() {
        place.run(&format!("run mine.toml --quiet --out part{number} --only {only}")).succeeded();
    }
    fs::rename(place.path("results"), place.path("whole")).unwrap();
    place.run("merge part0 part1 part2").succeeded();
    let merged = files(&place);
    assert!(merged.len() >= 14, "{}", merged.len());
    for (name, bytes) in merged {
        let same = whole.iter().find(|(other, _)| *other == name);
        assert!(same.is_some_and(|(_, of_whole)| *of_whole == bytes), "{name}");
    }
}

/// Gray images, drawn values, several networks, an arm with a name of its own.
#[test]
fn networks_from_scratch_learn_any_set() {
    let place = Place::new();
    digits(&place);
    let protocol = r#"
name = "digits"
title = "Digits"
start = "scratch"
data = { set = "mnist", held_out = 0.2 }
schedule = { kind = "step", milestones = [0.5], factor = 0.1, warm_up = 1 }
optimizer = { kind = "adamw", learning_rate = 2e-3, weight_decay = 0.01 }
regularization = { label_smoothing = 0.1, mixup = 0.2, average = 0.9 }
augmentation = { flip = true, shift = 2, part = 0.5, jitter = 0.2 }
comparison = { base = "relu", proposed = "wave" }
arms = [{ activation = "relu" }, { name = "wave", activation = "bent = max(x, 0) + a*sin(x); a = 0.1" }]
budget.full = { networks = ["sequential6conv", "cifar_resnet20"], seeds = [0], epochs = 1, batch_size = 16 }
"#;
    fs::write(place.path("digits.toml"), protocol).unwrap();
    let run = |options: &str| Ran::of(with_data(place.command(&format!("run digits.toml {options}")), "mnist"));
    let ran = run("").succeeded();
    assert!(ran.stderr.contains("digits cifar_resnet20 wave seed 0: epoch 1/1"), "{ran:?}");
    let rows = place.csv("digits.csv");
    let ids: Vec<&str> = rows.rows[..4].iter().map(|row| row["run_id"].as_str()).collect();
    let expected = ["sequential6conv/relu", "sequential6conv/wave", "cifar_resnet20/relu", "cifar_resnet20/wave"];
    assert_eq!(ids, expected.map(|id| format!("digits/{id}/0")));
    assert_eq!(rows.rows[1]["activation"], "bent = max(x, 0) + a*sin(x); a = 0.1");
    assert_eq!(rows.rows[1]["data"], "mnist");
    // Records are read again.
    let again = run("--resume").succeeded();
    assert!(again.stderr.contains("4 of 4 runs were finished before"), "{again:?}");
    // All that decides the numbers is in the configuration.
    for (old, new, key) in [
        ("mixup = 0.2", "mixup = 0.3", "regularization"),
        ("label_smoothing = 0.1", "label_smoothing = 0.2", "regularization"),
        ("average = 0.9", "average = 0.8", "regularization"),
        ("part = 0.5", "part = 0.4", "augmentation"),
        ("jitter = 0.2", "jitter = 0.3", "augmentation"),
        ("[0.5]", "[0.6]", "schedule"),
        (", warm_up = 1", "", "schedule"),
    ] {
        fs::write(place.path("digits.toml"), protocol.replace(old, new)).unwrap();
        run("--resume --quiet").failed_in_one_line(2, &[&format!("there {key} is"), "here"]);
    }
    // A size that a network does not take is refused before any work.
    fs::write(place.path("digits.toml"), protocol.replace("set = \"mnist\",", "set = \"mnist\", side = 64,")).unwrap();
    run("--out other").failed(2, &["digits.toml:5:32: data.side: sequential6conv does not take images of 64x64"]);
}

/// The protocol in the documentation, and the values that it says of it.
#[test]
fn the_documented_protocol_is_one() {
    use pvlu_zoo_cli::reproduce::protocol::paper::Table;

    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reproducing.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split_once("## A comparison of your own").unwrap().1;
    let protocol = section.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let table = Table::of_text(protocol).unwrap();
    assert_eq!((table.name(), table.protocol().full.epochs, table.protocol().arms.len()), ("leaves", 2, 3));
    let wrong = protocol.replacen("\nepochs = 2", "\nepochs = 0", 1);
    let error = Table::of_text(&wrong).unwrap_err().to_string();
    assert!(section.contains(&format!("`leaves.toml:{error}`")), "{error}");
}
