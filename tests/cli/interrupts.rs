//! Ctrl-C, sent as the signal that the terminal would send.
#![cfg(unix)]

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, Ran};

/// More than enough for the first rows, and for an orderly end, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than the test waits for.
const LONG: &str = "table1 --limit-train 40 --limit-test 20 --epochs 5000 --activations relu";

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

#[test]
fn finished_epochs_are_kept() {
    let place = Place::new();
    // The runs of an earlier command do not stay beside the epochs of this one.
    place.run("table1 --limit-train 40 --limit-test 10 --epochs 1 --activations relu").succeeded();
    std::fs::remove_file(place.path("results/table1_epochs.csv")).unwrap();
    let mut running =
        Running::start(place.command("table1 --limit-train 200 --limit-test 20 --epochs 5000 --activations pvlu"));
    running.wait_until(|| place.path("results/table1_epochs.csv").exists());
    running.send("-INT");
    let (_, ran) = running.end();
    let ran = ran.failed(130, &["interrupted", "results"]);
    assert_eq!(place.results(), ["table1.csv", "table1_epochs.csv"], "nothing is half written");
    assert!(place.csv("table1.csv").rows.is_empty(), "no run was finished");
    let epochs = place.csv("table1_epochs.csv");
    let numbers: Vec<u64> = epochs.rows.iter().map(|row| row["epoch"].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(ran.stderr.matches("pvlu seed 0: epoch ").count(), numbers.len(), "{ran:?}");
    assert!(epochs.rows.iter().all(|row| row.values().all(|value| !value.is_empty())), "{}", epochs.text);
}

#[test]
fn finished_runs_are_kept() {
    let place = Place::new();
    let seeds = (0..500).map(|seed| seed.to_string()).collect::<Vec<_>>().join(",");
    let mut running = Running::start(place.command(&format!(
        "table1 --limit-train 40 --limit-test 10 --epochs 1 --activations relu,pvlu --quiet --seeds {seeds}"
    )));
    // Two rows and the header.
    let lines = || std::fs::read_to_string(place.path("results/table1.csv")).map_or(0, |text| text.lines().count());
    running.wait_until(|| lines() > 2);
    running.send("-INT");
    let (_, ran) = running.end();
    ran.failed_in_one_line(130, &["interrupted"]);
    assert_eq!(place.results(), ["table1.csv", "table1_epochs.csv"]);
    let (runs, epochs) = (place.csv("table1.csv"), place.csv("table1_epochs.csv"));
    assert!((2..1000).contains(&runs.rows.len()));
    assert!(runs.rows.iter().all(|row| row["status"] == "finished" || row["status"] == "died"), "{}", runs.text);
    // A run that was interrupted between its last epoch and its row may have an epoch more.
    assert!((0..=1).contains(&(epochs.rows.len() - runs.rows.len())));
}

#[test]
fn other_signals_end_the_program_as_usual() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    let mut running = Running::start(place.command(LONG));
    running.wait_until(|| place.path("results/table1_epochs.csv").exists());
    running.send("-TERM");
    let (status, _) = running.end();
    assert_eq!(status.signal(), Some(15));
    assert!(!place.csv("table1_epochs.csv").rows.is_empty());
}

/// What `nohup` does: the program starts with the signal ignored, and must leave it so.
#[test]
fn an_ignored_hangup_stays_ignored() {
    let place = Place::new();
    let reproduce = place.command(LONG);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(reproduce.get_program()).args(reproduce.get_args());
    command.current_dir(place.path("")).env_remove("PVLU_ZOO_DATA");
    let mut running = Running::start(command);
    let epochs =
        || std::fs::read_to_string(place.path("results/table1_epochs.csv")).map_or(0, |text| text.lines().count());
    running.wait_until(|| epochs() > 1);
    running.send("-HUP");
    // An orderly end would come within an epoch.
    let then = epochs();
    running.wait_until(|| epochs() > then + 2);
    running.send("-INT");
    assert_eq!(running.end().1.code, Some(130));
}
