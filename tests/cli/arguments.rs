//! Usage: help, version, and arguments that are refused before anything is done.

use std::process::Command;

use crate::support::{Place, Ran};
use crate::zoo::zoo;

/// The program refused its arguments, and did nothing else.
#[track_caller]
fn refused(arguments: &str, words: &[&str]) -> Ran {
    let place = Place::new();
    let ran = place.run(arguments).failed_in_one_line(2, words);
    assert!(!place.path("results").exists(), "{arguments}: a folder was made");
    ran
}

#[test]
fn help_and_version_are_results() {
    let place = Place::new();
    for arguments in ["--help", "-h", "help", "table1 --help", "help table2"] {
        let ran = place.run(arguments).succeeded();
        assert!(ran.stdout.contains("Usage: reproduce"), "{ran:?}");
        assert_eq!(ran.stderr, "");
    }
    let help = place.run("table1 --help").stdout;
    for option in [
        "--data",
        "--preset",
        "--epochs",
        "--seeds",
        "--activations",
        "--limit-train",
        "--limit-test",
        "--batch-size",
        "--threads",
        "--out",
        "--quiet",
        "--only",
        "--resume",
        "--fresh",
        "--dry-run",
        "--save-weights",
        "--checkpoint-every",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    let ran = place.run("--version").succeeded();
    assert_eq!(ran.stdout, format!("reproduce {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(ran.stderr, "");
}

#[test]
fn no_table_and_unknown_tables_are_refused() {
    let ran = Place::new().run("");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("Usage: reproduce <COMMAND>") && ran.stderr.contains("table2"), "{ran:?}");
    refused("table0", &["table0", "--help"]);
    refused("table1 table2", &["table2"]);
    refused("table1 --frobnicate", &["--frobnicate"]);
}

#[test]
fn values_that_are_no_counts_are_refused() {
    refused("table1 --seeds x", &["'x'", "--seeds"]);
    refused("table1 --seeds 0,,1", &["''", "--seeds"]);
    refused("table1 --seeds=-1", &["'-1'", "--seeds"]);
    refused("table1 --seeds 18446744073709551616", &["--seeds"]);
    refused("table1 --epochs 0", &["'0'", "--epochs"]);
    refused("table1 --epochs 18446744073709551615", &["--epochs"]);
    refused("table1 --epochs 1.5", &["'1.5'", "--epochs"]);
    refused("table1 --batch-size 0", &["'0'", "--batch-size"]);
    refused("table1 --limit-train 0", &["'0'", "--limit-train"]);
    refused("table1 --limit-test many", &["'many'", "--limit-test"]);
    refused("table1 --threads 0", &["'0'", "--threads"]);
    refused("table1 --threads 100000", &["'100000'", "--threads"]);
    refused("table1 --held-out 1", &["'1'", "--held-out", "between 0 and 1"]);
    refused("table1 --held-out nan", &["'nan'", "--held-out"]);
    refused("table2 --shift 32", &["'32'", "--shift"]);
    refused("table5 --cutout 33", &["'33'", "--cutout"]);
    refused("table4 --filter-sigma 0", &["'0'", "--filter-sigma"]);
    refused("table4 --filter-radius=-1", &["'-1'", "--filter-radius"]);
    refused("table1 --preset slow", &["'slow'", "--preset"]);
    refused("table1 --out", &["--out"]);
}

#[test]
fn an_unknown_activation_is_refused_with_the_known_ones() {
    let ran = refused("table1 --activations relu,geglu", &["\"geglu\""]);
    for name in ["relu", "leaky_relu", "elu", "prelu", "sine_relu", "swish", "vlu", "pvlu"] {
        assert!(
            ran.stderr.contains(&format!(" {name},")) || ran.stderr.contains(&format!(" {name}\n")),
            "{name}: {ran:?}"
        );
    }
}

#[test]
fn runs_asked_for_twice_are_refused() {
    let one_line = |arguments, words: &[&str]| refused(arguments, words).failed_in_one_line(2, words);
    one_line("table1 --seeds 3,1,3", &["--seeds", "3 twice"]);
    one_line("table1 --seeds 3 --seeds 03", &["--seeds", "3 twice"]);
    one_line("table2 --activations pvlu,relu,pvlu", &["--activations", "pvlu twice"]);
}

#[test]
fn limits_that_leave_no_images_are_refused() {
    // One image is one of training, none is left to hold out; ten are one of each class.
    for arguments in ["table1 --limit-train 1", "table1 --limit-train 10"] {
        let place = Place::new();
        let ran = place.run(arguments).failed_in_one_line(2, &["none are left to hold out", "--limit-train"]);
        assert!(ran.stderr.contains("training and 1000 test images"), "{ran:?}");
        assert!(place.results().is_empty());
    }
}

#[test]
fn completions_load_in_shells() {
    let place = Place::new();
    for (script, program) in [(place.run("completions bash"), "reproduce"), (zoo(&place, "completions bash"), "zoo")] {
        let script = script.succeeded().stdout;
        assert!(script.contains(&format!("complete -F _{program}")), "{script}");
        for word in ["--threads", "--help"] {
            assert!(script.contains(word), "{program}: {word}");
        }
        // Loaded, it must offer the commands that begin as the word at the cursor does.
        let (word, whole) = if program == "zoo" { ("fi", "finetune") } else { ("mer", "merge") };
        let ask =
            format!("{script}\nCOMP_WORDS=({program} {word}); COMP_CWORD=1; _{program} {program} {word} {program}");
        let ask = format!("{ask}; echo \"${{COMPREPLY[@]}}\"");
        let Ok(output) = Command::new("bash").arg("-c").arg(ask).output() else {
            println!("skipped: there is no bash");
            continue;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), whole, "{output:?}");
    }
    let script = zoo(&place, "completions zsh").succeeded().stdout;
    assert!(script.starts_with("#compdef zoo"), "{script}");
    std::fs::write(place.path("_zoo"), script).unwrap();
    match Command::new("zsh").arg("-n").arg(place.path("_zoo")).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => println!("skipped: there is no zsh"),
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    zoo(&place, "man pages").succeeded();
    place.run("man pages").succeeded();
    let page = |name: &str| std::fs::read_to_string(place.path("pages").join(name)).unwrap();
    assert!(page("zoo.1").contains("finetune") && !page("zoo.1").contains("completions"));
    let eval = page("zoo-eval.1");
    for words in [r"\fBzoo eval\fR", r"\fB\-\-limit\-test\fR", "Examples:"] {
        assert!(eval.contains(words), "{words}: {eval}");
    }
    assert!(page("reproduce-table3.1").contains(r"\fBreproduce table3\fR"));
    assert!(!place.path("pages/zoo-man.1").exists());
}
