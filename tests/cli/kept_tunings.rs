//! `zoo finetune --runs`: the files of a tuning that is kept, its refusals, and that it goes on to the same bytes.

use std::fs;

use serde_json::Value;

#[cfg(unix)]
use crate::kept::Ends;
use crate::kept::{epochs, files};
use crate::support::{Csv, Place, Ran, number, write_cifar100};
use crate::tuning;
use crate::zoo::{command, json, weights, zoo};

/// A tuning in two phases with another activation between them, of a head that the file does not have: four steps an
/// epoch.
const TUNE: &str = "finetune --weights w.safetensors --activation pvlu --dataset cifar100 --data cifar --train all \
                    --head-epochs 2 --epochs 2 --batch-size 20 --held-out 0.2 --learning-rate 0.01 --head-rate 2 \
                    --checkpoint-every 0 --runs run";

/// Ways to train: as little as can be said, where the features of the head phase are kept, and everything.
const RECIPES: [&str; 2] = [
    "--schedule cosine",
    "--optimizer sgd --momentum 0.8 --nesterov --weight-decay 1e-4 --milestones 1.5 --factor 0.5 --warm-up 1 \
     --label-smoothing 0.1 --average 0.6 --mixup 0.3 --flip --crop 2 --random-part 0.5 --color-jitter 0.2 --cutout 8",
];

fn place() -> Place {
    let place = Place::new();
    write_cifar100(&place.path("cifar"), 100, 20);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    place
}

#[test]
fn a_kept_tuning_of_several_seeds_leaves_networks_rows_figures_events_and_a_summary() {
    let place = place();
    let tune = format!("{TUNE} --seeds 1,4 --log tensorboard");
    let ran = zoo(&place, &tune).succeeded();
    assert!(ran.stdout.contains("mean of 2 seeds") && ran.stdout.ends_with("written: run\n"), "{}", ran.stdout);
    let summary = Csv::read(&place.path("run/summary.csv"));
    for (row, seed) in summary.rows.iter().zip(["1", "4"]) {
        assert_eq!((&row["seed"][..], &row["epochs"][..], &row["best_phase"][..]), (seed, "4", "tune"));
        let folder = place.path(format!("run/seed-{seed}"));
        let curve = Csv::read(&folder.join("epochs.csv"));
        let numbered: Vec<_> = curve.rows.iter().map(|row| (&row["phase"][..], &row["epoch"][..])).collect();
        assert_eq!(numbered, [("head", "1"), ("head", "2"), ("tune", "1"), ("tune", "2")]);
        // The best epoch is one of the last phase, by held-out images alone, and the earlier of two.
        let held_out = |row: usize| number(&curve.rows[row], "held_out_top1");
        let best = if held_out(3) > held_out(2) { 3 } else { 2 };
        assert_eq!(row["best_epoch"], curve.rows[best]["epoch"]);
        assert_eq!(row["test_top1"], curve.rows[best]["test_top1"]);
        assert_eq!(row["last_test_top1"], curve.rows[3]["test_top1"]);
        // PVLU begins as the ReLU under which the head was trained.
        assert_eq!(row["test_top1_before"], curve.rows[1]["test_top1"]);
        let names: Vec<String> = files(&folder).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["best.safetensors", "curves.png", "curves.svg", "last.safetensors"]);
        assert_eq!(fs::read_dir(folder.join("tensorboard")).unwrap().count(), 1);
        for (file, column) in [("best", "test_top1"), ("last", "last_test_top1")] {
            let eval = format!("eval --weights run/seed-{seed}/{file}.safetensors --dataset cifar100 --data cifar");
            let found = json(&place, &format!("{eval} --json"));
            assert_eq!(format!("{:.6}", found["top1"].as_f64().unwrap()), row[column], "{file}");
        }
    }
    let said = zoo(&place, "info run/seed-1/best.safetensors").succeeded().stdout;
    for words in ["from relu, seed 1", "80 an epoch, 20 held out, 20 a step", "of phase 2"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let last = |seed: u64| fs::read(place.path(format!("run/seed-{seed}/last.safetensors"))).unwrap();
    assert_ne!(last(1), last(4));
    // The record of another seed cannot be read.
    fs::create_dir(place.path("run/seed-9")).unwrap();
    fs::write(place.path("run/seed-9/run.json"), "{").unwrap();
    let warned = zoo(&place, &format!("{tune} --resume --quiet")).succeeded().stderr;
    assert!(warned.starts_with("warning: run/seed-9/run.json: ") && warned.contains("summary.csv"), "{warned}");
    assert_eq!(Csv::read(&place.path("run/summary.csv")).rows.len(), 2);
    // What is finished is not done again, and told as JSON.
    let written = || fs::metadata(place.path("run/seed-4/last.safetensors")).unwrap().modified().unwrap();
    let before = written();
    let again: Value = json(&place, &format!("{tune} --resume --json"));
    let of_rows = |column: &str| summary.rows.iter().map(|row| number(row, column)).sum::<f64>() / 2.0;
    assert!((again["mean_test_top1"].as_f64().unwrap() - of_rows("test_top1")).abs() < 1e-6, "{again}");
    assert_eq!(format!("{:.6}", again["runs"][1]["test_top1"].as_f64().unwrap()), summary.rows[1]["test_top1"]);
    assert_eq!(written(), before);
}

/// Both ways of tuning end with the same file, whether the last epoch counts or the best.
#[test]
fn a_tuning_has_the_same_bytes_whether_it_is_kept_or_not() {
    let place = place();
    let alone = TUNE.replace("--checkpoint-every 0 --runs run", "").replace("--epochs 2", "--epochs 3");
    let ends = [("--held-out 0.2", "best"), ("--held-out 0", "last")];
    for (recipe, (held_out, file)) in RECIPES.into_iter().flat_map(|recipe| ends.map(|end| (recipe, end))) {
        let alone = format!("{} {recipe}", alone.replace("--held-out 0.2", held_out));
        let found = json(&place, &format!("{alone} --out a.safetensors --force --json --quiet"));
        zoo(&place, &format!("{alone} --runs run --fresh --out b.safetensors --force --quiet")).succeeded();
        let read = |name: &str| fs::read(place.path(name)).unwrap();
        assert!(read("a.safetensors") == read("b.safetensors"), "{held_out}");
        assert!(read("b.safetensors") == read(&format!("run/seed-0/{file}.safetensors")), "{held_out}");
        assert_eq!(place.path("run/seed-0/best.safetensors").exists(), file == "best");
        let summary = Csv::read(&place.path("run/summary.csv"));
        assert_eq!(format!("{:.6}", found["top1"].as_f64().unwrap()), summary.rows[0]["test_top1"]);
        if file == "best" {
            assert_eq!(found["best_epoch"].to_string(), summary.rows[0]["best_epoch"]);
            assert_eq!(format!("{:.6}", found["held_out_top1"].as_f64().unwrap()), summary.rows[0]["held_out_top1"]);
        }
    }
    let said = zoo(&place, &format!("{alone} --quiet")).succeeded().stdout;
    assert!(said.contains(", the best by held-out images ("), "{said}");
    // The file names all of the last recipe.
    let said = zoo(&place, "info a.safetensors").succeeded().stdout;
    for words in [
        "sgd, Nesterov's momentum 0.8, weight decay 0.0001",
        "label smoothing 0.1, moving average 0.6",
        "parts of 0.5 of the area on, colors scaled by up to 0.2, mirrored, shifted by up to 2 pixels, a square of 8",
        "mixed with alpha 0.3",
        "step of 0.5 at 1.5 epochs after 1 epoch of warm-up",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
#[cfg(unix)]
fn ended_at_any_moment_a_tuning_goes_on_to_the_same_bytes() {
    let mut random = 1234;
    for recipe in RECIPES {
        let tune = format!("{TUNE} {recipe} --out t.safetensors --quiet");
        let whole = place();
        zoo(&whole, &format!("{tune} --threads 2")).succeeded();
        let expected = (files(&whole.path("run/seed-0")), epochs(&whole, "run"));
        assert_eq!(expected.1.len(), 5);
        let out = fs::read(whole.path("t.safetensors")).unwrap();
        let mut ends = Ends { count: 0, most: 8, latest: 700, random };
        while ends.count < ends.most {
            let place = place();
            ends.until_done(&place, &format!("{tune} --force --resume"));
            assert!((files(&place.path("run/seed-0")), epochs(&place, "run")) == expected);
            assert!(fs::read(place.path("t.safetensors")).unwrap() == out);
        }
        random = ends.random;
    }
}

/// A tuning is ended in its first phase, between the phases and in its second one. Checkpoints are so far apart that
/// none is written but at a signal and at the end of a phase.
#[test]
#[cfg(unix)]
fn a_tuning_goes_on_in_the_phase_in_which_it_was_ended() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use pvlu_zoo::weights::TensorFile;

    let far = TUNE.replace("--checkpoint-every 0", "--checkpoint-every 100000").replace("epochs 2", "epochs 10");
    let whole = place();
    zoo(&whole, &format!("{far} --quiet")).succeeded();

    let place = place();
    let rows = || fs::read_to_string(place.path("run/seed-0/epochs.csv")).unwrap_or_default();
    let said = || fs::read_to_string(place.path("said")).unwrap();
    let mut goes_on = String::new();
    for (until, signal, code) in [
        ("\nhead,2,", Signal::SIGINT, Some(130)),
        // The table of what is trained is printed before the second phase.
        ("\ntrunk", Signal::SIGKILL, None),
        ("\ntune,2,", Signal::SIGTERM, Some(143)),
    ] {
        let mut running = command(&place, &format!("{far} --resume"));
        let stderr = fs::File::create(place.path("said")).unwrap();
        let running = running.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        let begin = Instant::now();
        while !rows().contains(until) && !said().contains(until) {
            assert!(begin.elapsed() < Duration::from_secs(120), "{until:?} did not come: {}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(Pid::from_raw(running.id().cast_signed()), signal).unwrap();
        assert_eq!(running.wait_with_output().unwrap().status.code(), code, "{}", said());
        assert!(said().contains(&goes_on), "{goes_on}: {}", said());
        let checkpoint = TensorFile::open(place.path("run/seed-0/checkpoint.safetensors")).unwrap();
        let stage: Value = serde_json::from_str(&checkpoint.metadata()["pvlu_zoo.phase"]).unwrap();
        let phase = if until == "\ntune,2," { "tune" } else { "head" };
        assert_eq!(stage["phase"], phase);
        let done = if code.is_some() { rows().matches(&format!("\n{phase},")).count() } else { 10 };
        goes_on = format!("cifar_resnet20 {phase} seed 0: goes on after {done} epochs");
        if code.is_some() {
            let last = said().lines().last().unwrap().to_owned();
            assert!(last.contains("interrupted; the training was kept in run") && last.contains("--resume"), "{last}");
            assert!(place.path("run/seed-0/curves.svg").exists());
        }
    }
    let ended = zoo(&place, &format!("{far} --resume")).succeeded();
    assert!(ended.stderr.contains(&goes_on) && !ended.stderr.contains("head seed 0: epoch"), "{}", ended.stderr);
    assert!(files(&place.path("run/seed-0")) == files(&whole.path("run/seed-0")));
    assert!(epochs(&place, "run") == epochs(&whole, "run"));
}

#[test]
fn a_tuning_of_other_settings_images_or_weights_is_neither_continued_nor_replaced() {
    let place = place();
    let short = TUNE.replace("epochs 2", "epochs 1");
    zoo(&place, &format!("{short} --quiet")).succeeded();
    let before = files(&place.path("run/seed-0"));
    zoo(&place, &format!("{short} --quiet")).failed_in_one_line(2, &["seed-0", "--resume", "--fresh"]);
    for (change, words) in [
        (("--learning-rate 0.01", "--learning-rate 0.02"), ["learning rate is 1e-2", "here 2e-2"]),
        (("--activation pvlu", "--activation prelu"), ["activation is pvlu", "here prelu"]),
        (("--head-epochs 1", "--head-epochs 2"), ["head epochs is 1", "here 2"]),
        (("--train all", "--train head"), ["train is activations,batch-norm", "here head"]),
        (("--held-out 0.2", "--held-out 0"), ["held-out images is 20", "here 0"]),
    ] {
        zoo(&place, &format!("{} --resume --quiet", short.replace(change.0, change.1))).failed_in_one_line(2, &words);
    }
    weights(&place.path("other.safetensors"), "cifar_resnet20", "relu", 12);
    let other = short.replace("w.safetensors", "other.safetensors");
    zoo(&place, &format!("{other} --resume --quiet")).failed_in_one_line(2, &["weights sha256"]);
    // One pixel of a test image.
    let mut images = fs::read(place.path("cifar/test.bin")).unwrap();
    images[100] ^= 1;
    fs::write(place.path("cifar/test.bin"), images).unwrap();
    zoo(&place, &format!("{short} --resume --quiet")).failed_in_one_line(2, &["run.json", "data sha256"]);
    // Nor is a network replaced that is read.
    let itself = short.replace("w.safetensors", "run/seed-0/last.safetensors");
    zoo(&place, &format!("{itself} --fresh --quiet")).failed_in_one_line(2, &["last.safetensors: is read", "--runs"]);
    assert!(files(&place.path("run/seed-0")) == before);
    zoo(&place, &format!("{itself} --seed 1 --quiet")).succeeded();
    // Nor does a training from scratch take its folder.
    let train = "train --model cifar_resnet20 --dataset cifar100 --data cifar --epochs 1 --out run --quiet";
    zoo(&place, &format!("{train} --resume")).failed_in_one_line(2, &["of another training", "--fresh"]);
    // Nor are networks removed that nothing tells of.
    fs::remove_file(place.path("run/seed-0/run.json")).unwrap();
    for command in [&format!("{short} --quiet"), train] {
        let words = ["seed-0: has best.safetensors, but neither", "run.json", "--fresh"];
        zoo(&place, &format!("{command} --resume")).failed_in_one_line(2, &words);
    }
    assert!(files(&place.path("run/seed-0")) == before);
}

#[test]
fn options_of_a_kept_tuning_that_contradict_each_other_are_refused_before_anything_is_made() {
    let place = place();
    let tune = |options: &str| {
        let all = format!("finetune --weights w.safetensors --dataset cifar100 --data cifar --quiet {options}");
        zoo(&place, &all)
    };
    for (options, words) in [
        ("--train head --resume", ["--resume", "--runs"]),
        ("--train head --fresh", ["--fresh", "--runs"]),
        ("--train head --checkpoint-every 5", ["--checkpoint-every", "--runs"]),
        ("--train head --log tensorboard", ["--log", "--runs"]),
        ("--train head --seeds 0,1", ["--seeds", "--runs"]),
        ("--train head --runs run --seeds 0,1 --out t.safetensors", ["--seeds", "--out"]),
        ("--train head --runs run --seeds 0,1 --seed 2", ["--seeds", "--seed"]),
        ("--train head --runs run --seeds 0,1,0", ["--seeds", "0 twice"]),
        ("--train head --runs run --resume --fresh", ["--resume", "--fresh"]),
        ("--train head --runs run --out run", ["--out", "--runs"]),
        ("--train head --runs run --out ./run", ["--out", "--runs"]),
        ("--train head --runs run --out run/seed-0/last.safetensors", ["--out", "--runs"]),
        ("--train head --runs new/../run --out run/summary.csv", ["--out", "--runs"]),
        ("--train none --head-epochs 1 --activation tanh --held-out 0.2", ["--held-out", "tanh is swapped in"]),
        ("--train head --held-out 1", ["--held-out", "below 1"]),
        ("--train head --augment --flip", ["--augment", "--flip"]),
        ("--train head --momentum 0.5", ["--momentum", "sgd"]),
        ("--train head --milestones 3,2", ["--milestones", "rise"]),
        ("--train none,head", ["--train", "none"]),
        ("--train none --learning-rate 0.1", ["--learning-rate", "nothing is trained"]),
        ("--train all --epochs 0 --cutout 4", ["--cutout", "nothing is trained"]),
        ("--train none --held-out 0.2", ["--held-out", "nothing is trained"]),
        ("--train none --skip-unreadable", ["--skip-unreadable", "nothing is trained"]),
        ("--train batch-norm --head-epochs 1 --head-rate 2", ["--head-rate", "name head in --train"]),
        ("--train head --warm-up 4", ["--warm-up", "--epochs"]),
        ("--train head --head-epochs 1 --epochs 5 --warm-up 2", ["--warm-up", "--head-epochs"]),
        ("--train head --crop 32", ["--crop", "at most 31"]),
        ("--train head --cutout 33 --runs run", ["--cutout", "at most 32"]),
        ("--train none --classes 100 --runs run", ["--runs", "nothing is trained"]),
        ("--train none --head-epochs 1 --activation pvlu --runs run", ["--runs", "pvlu is swapped in"]),
    ] {
        tune(options).failed_in_one_line(2, &words);
    }
    assert!(!place.path("run").exists() && !place.path("t.safetensors").exists());
}

/// A rate that a head survives, but not one convolution after the other.
#[test]
fn a_kept_tuning_that_diverges_ends_with_an_error_and_leaves_the_best_before() {
    let place = place();
    for (held_out, picked) in [("0.2", "the best by held-out images ("), ("0", "(training loss ")] {
        let both = TUNE.replace("0.01", "10").replace("--held-out 0.2", &format!("--held-out {held_out}"));
        let ran = zoo(&place, &format!("{both} --fresh --out t.safetensors --quiet"));
        let found = |ran: &Ran| {
            assert_eq!(ran.code, Some(1), "{ran:?}");
            for words in ["seed 0: the loss is not finite any more", picked, "was kept in t.safetensors"] {
                assert!(ran.stderr.contains(words), "{words}: {ran:?}");
            }
            assert!(ran.stdout.contains("; best.safetensors is the network after epoch "), "{ran:?}");
            let best = fs::read(place.path("run/seed-0/best.safetensors")).unwrap();
            assert!(fs::read(place.path("t.safetensors")).unwrap() == best);
            fs::remove_file(place.path("t.safetensors")).unwrap();
        };
        found(&ran);
        assert!(!place.path("run/seed-0/last.safetensors").exists());
        let summary = Csv::read(&place.path("run/summary.csv"));
        assert_eq!((&summary.rows[0]["diverged"][..], &summary.rows[0]["last_test_top1"][..]), ("true", ""));
        assert_ne!(summary.rows[0]["best_epoch"], "");
        found(&zoo(&place, &format!("{both} --resume --out t.safetensors --quiet")));
    }
}

/// The image in question is the last of its class, so that the first steps would not find it.
#[test]
fn an_image_that_cannot_be_read_is_found_before_a_tuning_begins() {
    let place = Place::new();
    tuning::folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("images/train/light/zz.png"), "no image").unwrap();
    let tune = format!("{} --train head --epochs 1 --batch-size 4 --held-out 0.3", tuning::TUNE);
    for runs in ["", "--runs run"] {
        let ran = zoo(&place, &format!("{tune} {runs}")).failed(1, &["light/zz.png", "--skip-unreadable"]);
        assert!(!ran.stderr.contains("epoch 1/"), "{ran:?}");
        let ran = zoo(&place, &format!("{tune} {runs} --skip-unreadable --out t.safetensors --force")).succeeded();
        assert!(ran.stderr.contains("left out 1 of 9 images to train on"), "{}", ran.stderr);
        let said = zoo(&place, "info t.safetensors").succeeded().stdout;
        assert!(said.contains("6 an epoch, 2 held out"), "{said}");
    }
}

#[test]
fn a_class_of_one_image_leaves_none_to_pick_an_epoch_by() {
    let place = Place::new();
    tuning::folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tune = format!("{} --train head --limit-train 2 --held-out 0.3 --quiet", tuning::TUNE);
    zoo(&place, &tune).failed_in_one_line(1, &["too few images", "to hold out", "2 training"]);
}
