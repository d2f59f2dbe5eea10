//! Runs of a protocol that are gone on with: by another protocol that decides the same, and after SIGKILL.

use std::fs;

use super::{LEAVES, files, with_leaves};
use crate::support::{Place, Ran};

/// Another title, more seeds and another order of arms leave finished runs as they are; the base may be another arm.
#[test]
fn what_does_not_decide_the_numbers_of_a_run_leaves_it() {
    let place = with_leaves();
    let options = "--preset quick";
    place.run(&format!("run mine.toml {options}")).succeeded();
    let first = place.csv("leaves.csv");
    let changed = LEAVES.replace("photographs of ", "").replace("base = \"relu\"", "base = \"pvlu\"");
    let changed = changed.replace("from_paper = [\"arms.pvlu\"]\n", "").replace("seeds = [0]", "seeds = [1, 0]");
    // The formula first.
    let (before, arms) = changed.split_once("[[arms]]").unwrap();
    let (others, formula) = arms.rsplit_once("[[arms]]").unwrap();
    let changed = format!("{before}[[arms]]{formula}\n[[arms]]{others}");
    fs::write(place.path("mine.toml"), &changed).unwrap();
    let again = place.run(&format!("run mine.toml {options} --resume")).succeeded();
    assert!(again.stdout.starts_with("Activations on leaves\n") && again.stdout.contains("against PVLU"), "{again:?}");
    assert!(again.stderr.contains("3 of 6 runs were finished before"), "{again:?}");
    let rows = place.csv("leaves.csv");
    let arms: Vec<&str> = rows.rows[..3].iter().map(|row| row["arm"].as_str()).collect();
    assert_eq!(arms, ["bent", "relu", "pvlu"]);
    for arm in arms {
        let [before, now] =
            [&first, &rows].map(|csv| csv.rows_with(&[("arm", arm), ("seed", "0")])[0]["final_top1"].clone());
        assert_eq!(before, now, "{arm}");
    }
    assert_eq!(place.csv("leaves.csv").rows_with(&[("arm", "pvlu"), ("seed", "mean")])[0]["comparison"], "");
    assert_eq!(fs::read_to_string(place.path("results/leaves_protocol.toml")).unwrap(), changed);
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_a_protocol_ends_as_if_it_was_not() {
    use std::process::Stdio;
    use std::time::Duration;

    let arguments = "run mine.toml --save-weights --checkpoint-every 0 --quiet";
    let whole = with_leaves();
    whole.run(&format!("{arguments} --threads 2")).succeeded();
    let trained = |place: &Place| {
        let folder = fs::read_dir(place.path("results/weights")).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            folder.map(|path| (path.file_name().unwrap().to_owned(), fs::read(&path).unwrap())).collect();
        all.sort();
        all
    };
    let expected = (files(&whole), trained(&whole));
    assert_eq!(expected.1.len(), 6);

    let place = with_leaves();
    let (mut kills, mut random, mut kept) = (0_u64, 4321_u64, 0);
    loop {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let threads = 1 + (random >> 40) % 2;
        let mut command = place.command(&format!("{arguments} --resume --threads {threads}"));
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(200 + 100 * kills + (random >> 33) % 1500));
        // The last time it may come to its end.
        if running.try_wait().unwrap().is_none() && kills < 8 {
            // SIGKILL.
            running.kill().unwrap();
            kills += 1;
            let runs = fs::read_dir(place.path("results/runs"));
            kept += usize::from(runs.is_ok_and(|mut runs| {
                runs.any(|run| {
                    let name = run.unwrap().file_name().into_string().unwrap();
                    name.ends_with(".json") || name.ends_with(".safetensors")
                })
            }));
        }
        let ran: Ran = running.wait_with_output().unwrap().into();
        assert!(!ran.stderr.contains("error") && !ran.stderr.contains("panicked"), "{ran:?}");
        if ran.code == Some(0) {
            break;
        }
    }
    assert!(kept > 0, "nothing was kept at any of {kills} kills");
    assert!((files(&place), trained(&place)) == expected, "not the same after {kills} kills");
}
