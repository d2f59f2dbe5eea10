//! Trainings that `zoo train` and `zoo finetune` keep in the folder `run`: what has to stay the same, and commands that
//! are ended at random moments.

use std::fs;
use std::path::Path;

use crate::support::Place;

/// The files of a folder by their names, without those that hold times.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let kept = entries.filter(|entry| entry.path().extension().is_some_and(|end| end != "json" && end != "csv"));
    let mut files: Vec<_> =
        kept.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

/// The rows of the epochs without their times.
pub fn epochs(place: &Place, run: &str) -> Vec<String> {
    let text = fs::read_to_string(place.path(format!("{run}/seed-0/epochs.csv"))).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// Ends of a command by SIGKILL, SIGTERM and SIGINT in turn, at random moments.
#[cfg(unix)]
pub struct Ends {
    /// The ends so far.
    pub count: usize,
    /// The ends after which a command comes to its own end.
    pub most: usize,
    /// Milliseconds after which a command is ended at the latest.
    pub latest: u64,
    pub random: u64,
}

#[cfg(unix)]
impl Ends {
    /// Gives a command again and again until it comes to its end. Its last words have to say what was kept.
    pub fn until_done(&mut self, place: &Place, arguments: &str) {
        use std::process::Stdio;
        use std::time::Duration;

        use nix::sys::signal::{Signal, kill};
        use nix::unistd::Pid;

        loop {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let threads = 1 + (self.random >> 40) % 2;
            let mut running = crate::zoo::command(place, &format!("{arguments} --threads {threads}"));
            let mut running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(100 + (self.random >> 33) % self.latest));
            if running.try_wait().unwrap().is_none() && self.count < self.most {
                let signal = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT][self.count % 3];
                kill(Pid::from_raw(running.id().cast_signed()), signal).unwrap();
                self.count += 1;
                let ended = running.wait_with_output().unwrap();
                // It may have come to its end before the signal did, or the signal before the program heard it.
                if signal != Signal::SIGKILL && !ended.status.success() && ended.status.code().is_some() {
                    let said = String::from_utf8(ended.stderr).unwrap();
                    let code = if signal == Signal::SIGTERM { 143 } else { 130 };
                    assert_eq!(ended.status.code(), Some(code), "{said}");
                    let has = |name: &str| place.path("run/seed-0").join(name).exists();
                    let is_kept = has("checkpoint.safetensors") || has("run.json");
                    assert!(said.contains(if is_kept { "with --resume" } else { "nothing was saved" }), "{said}");
                }
                continue;
            }
            let ended = running.wait_with_output().unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            return;
        }
    }
}
