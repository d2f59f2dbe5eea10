//! `zoo train`: its files, its refusals, and that it goes on to the same bytes.

use std::fs;
use std::process::Command;

use pvlu_zoo::weights::TensorFile;

#[cfg(unix)]
use crate::kept::Ends;
use crate::kept::{epochs, files};
use crate::support::{Csv, Place, number, write_cifar100};
use crate::tuning;
use crate::zoo::{command, json, zoo};

/// A training of seven steps an epoch, with everything that a step can have.
const TRAIN: &str = "train --model cifar_resnet20 --activation pvlu --dataset cifar100 --data cifar --epochs 3 \
                     --batch-size 20 --learning-rate 0.05 --flip --crop 2 --cutout 8 --mixup 0.3 --average 0.6 \
                     --label-smoothing 0.1 --warm-up 1 --checkpoint-every 0 --out run";

pub fn place() -> Place {
    let place = Place::new();
    write_cifar100(&place.path("cifar"), 150, 40);
    place
}

#[test]
fn a_training_leaves_networks_a_row_for_each_epoch_and_a_summary() {
    let place = place();
    let options = "--model cifar_resnet20 --activation pvlu --dataset cifar100 --data cifar --epochs 2 --batch-size 30 \
                   --optimizer adamw --learning-rate 0.003 --schedule one-cycle --average 0.3 --seeds 1,4 \
                   --out new/run";
    let ran = zoo(&place, &format!("train {options}")).succeeded();
    assert!(ran.stdout.contains("mean of 2 seeds") && ran.stdout.ends_with("written: new/run\n"), "{}", ran.stdout);
    let summary = Csv::read(&place.path("new/run/summary.csv"));
    assert_eq!(summary.rows.len(), 2);
    for (row, seed) in summary.rows.iter().zip(["1", "4"]) {
        assert_eq!((&row["seed"][..], &row["epochs"][..], &row["diverged"][..]), (seed, "2", "false"));
        let folder = place.path(format!("new/run/seed-{seed}"));
        let curve = Csv::read(&folder.join("epochs.csv"));
        assert_eq!(curve.rows.len(), 2);
        let best = &curve.rows[row["best_epoch"].parse::<usize>().unwrap() - 1];
        for (of_summary, of_curve) in [("held_out_top1", "held_out_top1"), ("test_top1", "test_top1")] {
            assert_eq!(row[of_summary], best[of_curve]);
        }
        assert_eq!(row["last_test_top1"], curve.rows[1]["test_top1"]);
        // Above the 1 in 4 of a guess: the classes are shades of grey.
        assert!(number(&curve.rows[1], "train_top1") > 0.4, "{:?}", curve.rows);
        let names: Vec<String> = files(&folder).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["best.safetensors", "curves.png", "curves.svg", "last.safetensors"]);
        // Files are networks that other commands take, and have the accuracy that the row says.
        for (file, column) in [("best", "test_top1"), ("last", "last_test_top1")] {
            let eval = format!("eval --weights new/run/seed-{seed}/{file}.safetensors --dataset cifar100 --data cifar");
            let found = json(&place, &format!("{eval} --json"));
            assert_eq!(format!("{:.6}", found["top1"].as_f64().unwrap()), row[column], "{file}");
        }
    }
    let said = zoo(&place, "info new/run/seed-1/last.safetensors").succeeded().stdout;
    for words in ["from scratch", "adamw", "one-cycle", "138 an epoch, 12 held out, 30 a step, as they are"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Two seeds are two networks.
    let [first, second] =
        [1, 4].map(|seed| fs::read(place.path(format!("new/run/seed-{seed}/last.safetensors"))).unwrap());
    assert_ne!(first, second);
    // What is finished is not done again.
    let before = fs::metadata(place.path("new/run/seed-4/last.safetensors")).unwrap().modified().unwrap();
    let again = zoo(&place, &format!("train {options} --resume --json")).succeeded();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(format!("{:.6}", again["runs"][1]["test_top1"].as_f64().unwrap()), summary.rows[1]["test_top1"]);
    assert_eq!(fs::metadata(place.path("new/run/seed-4/last.safetensors")).unwrap().modified().unwrap(), before);
}

#[test]
#[cfg(unix)]
fn ended_at_any_moment_it_goes_on_to_the_same_bytes() {
    let whole = place();
    zoo(&whole, &format!("{TRAIN} --threads 2 --quiet")).succeeded();
    let expected = (files(&whole.path("run/seed-0")), epochs(&whole, "run"));
    assert_eq!(expected.1.len(), 4);
    let mut ends = Ends { count: 0, most: 12, latest: 1200, random: 4321 };
    while ends.count < ends.most {
        let place = place();
        ends.until_done(&place, &format!("{TRAIN} --resume --quiet"));
        assert!((files(&place.path("run/seed-0")), epochs(&place, "run")) == expected);
    }
}

/// Checkpoints are far apart, so that the one of the signal is the only one.
#[test]
#[cfg(unix)]
fn a_signal_leaves_a_checkpoint_and_says_how_to_go_on() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let long = TRAIN.replace("--epochs 3", "--epochs 500").replace("--checkpoint-every 0", "--checkpoint-every 100000");
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let place = place();
        let mut running = command(&place, &format!("{long} --quiet"));
        let running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        while !place.path("run/seed-0/epochs.csv").exists() {
            assert!(begin.elapsed() < Duration::from_secs(120), "no epoch was finished");
            std::thread::sleep(Duration::from_millis(20));
        }
        let checkpoint = place.path("run/seed-0/checkpoint.safetensors");
        assert!(!checkpoint.exists());
        kill(Pid::from_raw(running.id().cast_signed()), signal).unwrap();
        let ended = running.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), said.lines().count()), (Some(code), 1), "{said}");
        assert!(said.contains("interrupted") && said.contains("with --resume, not --fresh"), "{said}");
        assert!(checkpoint.exists() && place.path("run/seed-0/curves.svg").exists());
    }
}

/// Nothing of earlier settings is left, wherever a command that began anew was ended.
#[test]
fn beginning_anew_removes_all_that_was_there_and_nothing_if_it_is_refused() {
    let place = place();
    let short = format!("{} --log tensorboard --seeds 0,1 --quiet", TRAIN.replace("--epochs 3", "--epochs 1"));
    zoo(&place, &short).succeeded();
    let before = files(&place.path("run/seed-1"));
    zoo(&place, &format!("{} --fresh", short.replace("--crop 2", "--crop 32")))
        .failed_in_one_line(2, &["--crop", "31"]);
    zoo(&place, &format!("{} --fresh", short.replace("--mixup 0.3", "--mixup 500")))
        .failed_in_one_line(2, &["--mixup"]);
    assert!(files(&place.path("run/seed-1")) == before);
    let events = || fs::read_dir(place.path("run/seed-1/tensorboard")).unwrap().count();
    assert_eq!(events(), 1);
    // One seed of other settings: the summary is of it alone.
    let other = short.replace("--seeds 0,1", "--seeds 0").replace("--log tensorboard", "").replace("0.05", "0.06");
    zoo(&place, &format!("{other} --fresh")).succeeded();
    assert!(!place.path("run/seed-0/tensorboard").exists());
    assert_eq!(Csv::read(&place.path("run/summary.csv")).rows.len(), 1);
    // Another seed of the same settings joins it.
    zoo(&place, &other.replace("--seeds 0", "--seeds 7")).succeeded();
    let summary = Csv::read(&place.path("run/summary.csv"));
    assert_eq!(summary.rows.iter().map(|row| &row["seed"][..]).collect::<Vec<_>>(), ["0", "7"]);
}

#[test]
fn a_loss_that_is_not_finite_ends_with_an_error_and_leaves_no_network_of_it() {
    let place = place();
    let diverging = "train --model cifar_resnet20 --dataset cifar100 --data cifar --epochs 3 --batch-size 10 \
                     --learning-rate 1e30 --schedule constant --out run --quiet";
    let ran = zoo(&place, diverging);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("seed 0: the loss is not finite any more"), "{ran:?}");
    let folder = place.path("run/seed-0");
    assert!(!folder.join("best.safetensors").exists() && !folder.join("last.safetensors").exists());
    let summary = Csv::read(&place.path("run/summary.csv"));
    assert_eq!((&summary.rows[0]["diverged"][..], &summary.rows[0]["best_epoch"][..]), ("true", ""));
    let again = zoo(&place, &format!("{diverging} --resume"));
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[test]
fn a_training_of_other_settings_is_neither_continued_nor_replaced() {
    let place = place();
    let short = TRAIN.replace("--epochs 3", "--epochs 1");
    zoo(&place, &format!("{short} --quiet")).succeeded();
    let before = files(&place.path("run/seed-0"));
    zoo(&place, &format!("{short} --quiet")).failed_in_one_line(2, &["seed-0", "--resume", "--fresh"]);
    for (change, words) in [
        (("--learning-rate 0.05", "--learning-rate 0.06"), ["learning rate is 5e-2", "here 6e-2"]),
        (("--activation pvlu", "--activation relu"), ["activation is pvlu", "here relu"]),
        (("--mixup 0.3", ""), ["regularization is", "mixup=3e-1"]),
    ] {
        let other = short.replace(change.0, change.1);
        zoo(&place, &format!("{other} --resume --quiet")).failed_in_one_line(2, &words);
    }
    // One pixel of a test image.
    let mut images = fs::read(place.path("cifar/test.bin")).unwrap();
    images[100] ^= 1;
    fs::write(place.path("cifar/test.bin"), images).unwrap();
    zoo(&place, &format!("{short} --resume --quiet")).failed_in_one_line(2, &["run.json", "data sha256"]);
    assert!(files(&place.path("run/seed-0")) == before);
    zoo(&place, &format!("{} --fresh --quiet", short.replace("--activation pvlu", "--activation relu"))).succeeded();
    let anew = TensorFile::open(place.path("run/seed-0/last.safetensors")).unwrap();
    assert_eq!(anew.metadata()["pvlu_zoo.activation"], "relu");
    // A checkpoint that was cut.
    fs::remove_file(place.path("run/seed-0/run.json")).unwrap();
    fs::write(place.path("run/seed-0/checkpoint.safetensors"), "cut").unwrap();
    zoo(&place, &format!("{} --resume --quiet", short.replace("--activation pvlu", "--activation relu")))
        .failed_in_one_line(1, &["checkpoint.safetensors"]);
}

#[test]
fn options_that_contradict_each_other_are_refused_before_anything_is_made() {
    let place = place();
    for (options, words) in [
        ("--schedule step", ["--milestones", "30,60"]),
        ("--milestones 3,2", ["--milestones", "rise"]),
        ("--milestones 1 --schedule cosine", ["--milestones", "step"]),
        ("--warm-up 4", ["--warm-up", "--epochs"]),
        ("--schedule one-cycle --warm-up 1", ["--warm-up", "one-cycle"]),
        ("--optimizer adam --momentum 0.9", ["--momentum", "sgd"]),
        ("--optimizer adamw --nesterov", ["--nesterov", "sgd"]),
        ("--momentum 0 --nesterov", ["--nesterov", "--momentum"]),
        ("--seeds 1,2,1", ["--seeds", "1 twice"]),
        ("--resume --fresh", ["--resume", "--fresh"]),
        ("--held-out 1", ["--held-out", "below 1"]),
        ("--average 1", ["--average", "below 1"]),
    ] {
        let all =
            format!("train --model cifar_resnet20 --dataset cifar100 --data cifar --epochs 3 --out run {options}");
        zoo(&place, &all).failed_in_one_line(2, &words);
    }
    let with =
        |options: &str| zoo(&place, &format!("train --dataset cifar100 --data cifar --out run --quiet {options}"));
    with("--model resnet").failed_in_one_line(2, &["resnet", "cifar_resnet20"]);
    with("--model cifar_resnet20 --activation rele").failed_in_one_line(2, &["rele", "relu"]);
    with("--model cifar_resnet20 --crop 32").failed_in_one_line(2, &["--crop", "31", "32"]);
    with("--model cifar_resnet20 --cutout 33").failed_in_one_line(2, &["--cutout", "32", "33"]);
    with("--model cifar_resnet20 --factor 0.5").failed_in_one_line(2, &["--milestones"]);
    assert!(!place.path("run").exists());
}

#[test]
fn changes_of_the_learning_rate_that_the_epochs_end_before_are_told() {
    let place = place();
    let train = "train --model cifar_resnet20 --dataset cifar100 --data cifar --batch-size 50 --epochs 1 --out run";
    let told = zoo(&place, &format!("{train} --milestones 0.5,1,3")).succeeded().stderr;
    assert!(told.contains("warning: --epochs 1 ends before the learning rate changes after epoch 1, 3\n"), "{told}");
    let told = zoo(&place, &format!("{train} --milestones 0.5 --fresh")).succeeded().stderr;
    assert!(!told.contains("the learning rate changes"), "{told}");
}

#[test]
fn a_class_of_one_image_leaves_none_to_pick_an_epoch_by() {
    let place = Place::new();
    tuning::folder(&place);
    let train = "train --model cifar_resnet20 --dataset folder --data images --epochs 1 --out run --quiet";
    zoo(&place, &format!("{train} --limit-train 2 --held-out 0.3"))
        .failed_in_one_line(1, &["too few images", "to hold out", "2 training"]);
    assert!(!place.path("run/seed-0").exists());
}

/// The image in question is the last of its class, so that a check of the first batch would not find it.
#[test]
fn an_image_that_cannot_be_read_is_found_before_the_first_step() {
    let place = Place::new();
    tuning::folder(&place);
    fs::write(place.path("images/train/light/zz.png"), "no image").unwrap();
    let train = "train --model cifar_resnet20 --dataset folder --data images --image 32 --epochs 1 --batch-size 4 \
                 --held-out 0.3 --out run";
    zoo(&place, train).failed(1, &["light/zz.png", "--skip-unreadable"]);
    assert!(!place.path("run").exists());
    let ran = zoo(&place, &format!("{train} --skip-unreadable")).succeeded();
    assert!(ran.stderr.contains("left out 1 of 9 images to train on"), "{}", ran.stderr);
    let found = json(&place, "eval --weights run/seed-0/last.safetensors --dataset folder --data images --json");
    assert_eq!(found["images"], 8);
}

/// TensorBoard's own reader reads what was written, where the interpreter that PVLU_PYTHON names has it.
#[test]
fn tensorboard_reads_the_scalars() {
    let place = place();
    let short = TRAIN.replace("--epochs 3", "--epochs 2");
    zoo(&place, &format!("{short} --log tensorboard --quiet")).succeeded();
    let folder = place.path("run/seed-0/tensorboard");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    let named = std::env::var("PVLU_PYTHON").ok();
    let python = named.clone().unwrap_or("python3".to_owned());
    let script = "import sys\n\
                  from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n\
                  e = E(sys.argv[1])\ne.Reload()\n\
                  for tag in e.Tags()['scalars']:\n  for s in e.Scalars(tag): print(tag, s.step, f'{s.value:.6f}')";
    let has_it = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has_it.is_ok_and(|ran| ran.status.success()) {
        assert!(named.is_none(), "PVLU_PYTHON: {python} has no tensorboard");
        return println!("skipped: {python} has no tensorboard; PVLU_PYTHON names another interpreter");
    }
    let ran = Command::new(&python).args(["-c", script]).arg(&folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8(ran.stdout).unwrap();
    let curve = Csv::read(&place.path("run/seed-0/epochs.csv"));
    assert_eq!(said.lines().count(), 2 * 7, "{said}");
    for row in &curve.rows {
        for (tag, column) in
            [("loss/train", "train_loss"), ("top1/held_out", "held_out_top1"), ("loss/test", "test_loss")]
        {
            let of = format!("{tag} {} ", row["epoch"]);
            let value: f64 = said.lines().find_map(|line| line.strip_prefix(&of)).unwrap().parse().unwrap();
            assert!((value - number(row, column)).abs() < 2e-6, "{tag} {value}");
        }
    }
}
