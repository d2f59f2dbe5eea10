//! Ctrl-C, sent as the signal that the terminal would send.
#![cfg(unix)]

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, Ran};

/// More than enough for the first rows, and for an orderly end, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than the test waits for.
const LONG: &str = "table1 --limit-train 40 --limit-test 20 --epochs 5000 --seeds 0 --activations relu";
/// The same with a checkpoint after each step.
const KEPT: &str =
    "table1 --limit-train 40 --limit-test 20 --epochs 5000 --seeds 0 --activations relu --checkpoint-every 0";

/// A running program, which does not outlive the test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until `ready`; the program must still run then.
    fn wait_until(&mut self, ready: impl Fn() -> bool) {
        let start = Instant::now();
        while !ready() {
            assert!(self.0.try_wait().unwrap().is_none(), "the program ended by itself");
            assert!(start.elapsed() < PATIENCE, "nothing came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn end(mut self) -> (ExitStatus, Ran) {
        let start = Instant::now();
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(start.elapsed() < PATIENCE, "the program did not end"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // A few lines, which fit into the pipes: the program never waited for a reader.
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status, Ran { code: status.code(), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The checkpoint of the only run of [`LONG`].
const CHECKPOINT: &str = "results/runs/table1-sequential6conv-relu-0.safetensors";

#[test]
fn an_interrupt_keeps_the_run_under_way_and_the_earlier_table() {
    let place = Place::new();
    place.run("table1 --limit-train 40 --limit-test 10 --epochs 1 --seeds 0 --activations relu").succeeded();
    let old = place.csv("table1.csv").text;
    // What it says goes to a file, which can be read while it runs.
    let start = |arguments: &str, name: &str| {
        let mut command = place.command(arguments);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(place.path(name)).unwrap());
        Running(command.spawn().unwrap())
    };
    let said = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    // No checkpoint is due before a minute has passed.
    let mut running = start(LONG, "first");
    running.wait_until(|| said("first").contains("epoch 2/"));
    running.send("-INT");
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    let first = said("first");
    assert!(first.lines().last().unwrap().starts_with("error: interrupted") && first.contains("--resume"), "{first}");
    assert!(place.path(CHECKPOINT).exists());
    assert_eq!(place.csv("table1.csv").text, old, "replaced only by a whole one");
    // It goes on where it was, and not from the beginning.
    let seen = first.matches("relu seed 0: epoch ").count();
    let mut running = start(&format!("{LONG} --resume"), "second");
    running.wait_until(|| said("second").contains(&format!("epoch {}/", seen + 1)));
    running.send("-INT");
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    let second = said("second");
    assert!(second.contains(&format!("goes on after {seen} epochs")), "{seen}: {second}");
    assert!(!second.contains("relu seed 0: epoch 1/"), "{second}");
    // Without it too: only what is of other settings is moved aside.
    let mut running = start(LONG, "third");
    running.wait_until(|| said("third").contains("goes on after"));
    running.send("-INT");
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    assert!(place.path("results/aside/1/runs/table1-sequential6conv-relu-0.json").exists(), "the first command's run");
    assert!(!place.path("results/aside/2").exists());
}

/// At every moment a run is in the folder of runs, or where a line said that it is.
#[test]
fn an_end_at_once_loses_no_finished_run() {
    let place = Place::new();
    let small = "table1 --limit-train 40 --limit-test 10 --epochs 1 --seeds 0 --activations relu,pvlu";
    place.run(small).succeeded();
    let names = ["relu", "pvlu"].map(|arm| format!("runs/table1-sequential6conv-{arm}-0.json"));
    let read = |folder: &str| names.each_ref().map(|name| std::fs::read(place.path(folder).join(name)).ok());
    let (records, table) = (read("results"), place.csv("table1.csv").text);
    assert!(records.iter().all(Option::is_some));
    for (signal, milliseconds) in
        [("-INT", 0), ("-INT", 20), ("-TERM", 40), ("-INT", 80), ("-KILL", 120), ("-INT", 200)]
    {
        // The same, and another.
        for arguments in [small.to_owned(), format!("{small} --batch-size 7")] {
            let mut command = place.command(&arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut running = Running(command.spawn().unwrap());
            std::thread::sleep(Duration::from_millis(milliseconds));
            // It may have ended by itself.
            let _ = Command::new("kill").args([signal, &running.0.id().to_string()]).stderr(Stdio::null()).status();
            running.0.wait().unwrap();
        }
        let aside = std::fs::read_dir(place.path("results/aside")).into_iter().flatten().flatten();
        let aside = aside.map(|entry| format!("results/aside/{}", entry.file_name().display()));
        let places: Vec<_> = aside.chain(["results".to_owned()]).map(|folder| read(&folder)).collect();
        for (index, record) in records.iter().enumerate() {
            let kept = places.iter().filter(|found| found[index] == *record).count();
            assert_eq!(kept, 1, "{signal} after {milliseconds} ms: {index}");
        }
    }
    place.run(small).succeeded();
    let lasting = |text: &str| text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect::<Vec<_>>();
    assert_eq!(lasting(&place.csv("table1.csv").text), lasting(&table));
}

#[test]
fn a_checkpoint_that_is_damaged_within_is_moved_aside_or_refused() {
    let place = Place::new();
    let mut running = Running::start(place.command(KEPT));
    running.wait_until(|| place.path(CHECKPOINT).exists());
    running.send("-INT");
    running.end();
    let mut bytes = std::fs::read(place.path(CHECKPOINT)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(place.path(CHECKPOINT), &bytes).unwrap();
    place.run(&format!("{KEPT} --resume")).failed(1, &["table1-sequential6conv-relu-0.safetensors", "checksum"]);
    let mut running = Running::start(place.command(KEPT));
    running.wait_until(|| place.path("results/aside/1/runs").exists() && place.path(CHECKPOINT).exists());
    running.send("-INT");
    let (_, ran) = running.end();
    ran.failed(130, &["interrupted"]);
    assert!(
        std::fs::read(place.path("results/aside/1").join(CHECKPOINT.trim_start_matches("results/"))).unwrap() == bytes
    );
}

#[test]
fn a_folder_in_use_is_refused_and_a_kill_leaves_no_lock() {
    let place = Place::new();
    place.run("table1 --limit-train 40 --limit-test 10 --epochs 1 --seeds 0 --activations elu --out part").succeeded();
    let mut running = Running::start(place.command(KEPT));
    running.wait_until(|| place.path(CHECKPOINT).exists());
    for arguments in [
        "merge part",
        "table1 --limit-train 40 --limit-test 10 --epochs 1",
        "table3 --limit-train 40 --limit-test 10",
        "all --preset quick",
        "report",
        "figure1",
        "figure1 --from new --out results",
    ] {
        place.run(arguments).failed(1, &["results: another command is writing there", "--out"]);
    }
    // Reading is no writing.
    place.run("table1 --dry-run --limit-train 40 --limit-test 10 --activations relu").succeeded();
    assert!(running.0.try_wait().unwrap().is_none(), "nobody disturbed it");
    running.send("-KILL");
    running.end();
    place.run("figure1").succeeded();
    assert!(!place.results().iter().any(|name| name.starts_with('.')), "{:?}", place.results());
}

#[test]
fn finished_runs_are_kept() {
    let place = Place::new();
    let seeds = (0..500).map(|seed| seed.to_string()).collect::<Vec<_>>().join(",");
    let arguments =
        format!("table1 --limit-train 40 --limit-test 10 --epochs 1 --activations relu,pvlu --quiet --seeds {seeds}");
    let mut running = Running::start(place.command(&arguments));
    let records = || {
        let entries = std::fs::read_dir(place.path("results/runs")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json")).count()
    };
    running.wait_until(|| records() > 2);
    running.send("-INT");
    let (_, ran) = running.end();
    ran.failed_in_one_line(130, &["interrupted"]);
    assert!((3..1000).contains(&records()));
    // What is there can be put together, and is known to be a part.
    place.run("merge results").failed_in_one_line(1, &["lacks", "table1/sequential6conv/pvlu/499"]);
    place.run("merge results --partial").succeeded();
    let (runs, epochs) = (place.csv("table1.csv"), place.csv("table1_epochs.csv"));
    assert_eq!(runs.rows.iter().filter(|row| row["status"] != "summary").count(), records());
    assert_eq!(epochs.rows.len(), records());
}

#[test]
fn other_signals_end_the_program_as_usual() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    let mut running = Running::start(place.command(KEPT));
    running.wait_until(|| place.path(CHECKPOINT).exists());
    running.send("-TERM");
    let (status, _) = running.end();
    assert_eq!(status.signal(), Some(15));
    assert!(place.path(CHECKPOINT).exists());
}

/// The program starts with the signal ignored, as under `nohup`, and must leave it so.
#[test]
fn an_ignored_hangup_stays_ignored() {
    let place = Place::new();
    let reproduce = place.command(KEPT);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(reproduce.get_program()).args(reproduce.get_args());
    command.current_dir(place.path("")).env_remove("PVLU_ZOO_DATA");
    let mut running = Running::start(command);
    let written = || std::fs::metadata(place.path(CHECKPOINT)).and_then(|file| file.modified()).ok();
    running.wait_until(|| written().is_some());
    running.send("-HUP");
    // An orderly end would come within a step.
    for _ in 0..3 {
        let then = written();
        running.wait_until(|| written() > then);
    }
    running.send("-INT");
    assert_eq!(running.end().1.code, Some(130));
}
