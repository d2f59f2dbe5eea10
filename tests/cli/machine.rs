//! The machine as the program uses it: instruction set, threads and their cores.

use pvlu::kernel::cpu::simd::Level;

use crate::support::{Place, Ran};
use crate::zoo;

/// A short run, in which something is trained.
const RUN: &str =
    "table1 --activations relu --seeds 0 --limit-train 40 --limit-test 20 --epochs 1 --batch-size 20 --quiet";

/// Both programs refuse to start, for every command.
#[track_caller]
fn refused(variable: (&str, &str), words: &[&str]) {
    let place = Place::new();
    let commands = [RUN, "plan table1"].map(|arguments| place.command(arguments));
    let commands = commands.into_iter().chain([zoo::command(&place, "list")]);
    for mut command in commands {
        command.env(variable.0, variable.1);
        Ran::of(command).failed_in_one_line(2, words);
    }
    assert!(!place.path("results").exists());
}

#[test]
fn an_unknown_instruction_set_is_refused_with_the_known_ones() {
    for name in ["", "sse", "AVX2", "avx512 "] {
        let found = format!("PVLU_SIMD={name:?}");
        refused(("PVLU_SIMD", name), &[&found, "expected one of portable, avx2, avx512", "this machine has portable"]);
    }
}

#[test]
fn an_instruction_set_that_the_machine_lacks_is_refused() {
    for level in Level::ALL.into_iter().filter(|level| !Level::available().contains(level)) {
        refused(("PVLU_SIMD", level.name()), &["PVLU_SIMD=", level.name(), "lacks", "this machine has portable"]);
    }
}

#[test]
fn a_number_of_threads_in_the_environment_is_checked_as_in_the_arguments() {
    for number in ["0", "-1", "many", "1025", "18446744073709551616"] {
        refused(("RAYON_NUM_THREADS", number), &["RAYON_NUM_THREADS=", number, "from 1 to 1024"]);
    }
}

#[test]
fn the_instruction_set_and_the_cores_stand_in_the_details() {
    let cores = std::thread::available_parallelism().unwrap().to_string();
    for level in Level::available() {
        let place = Place::new();
        // As many threads as cores, which are then bound to one each.
        let mut command = place.command(&format!("{RUN} --threads {cores}"));
        command.env("PVLU_SIMD", level.name());
        Ran::of(command).succeeded();
        let details = std::fs::read_to_string(place.path("results/table1.json")).unwrap();
        let details: serde_json::Value = serde_json::from_str(&details).unwrap();
        let [machine] = details["machines"].as_array().unwrap().as_slice() else { panic!("{details}") };
        assert_eq!(machine["simd"], level.name());
        assert_eq!(machine["cores"], *cores);
        assert_eq!(machine["threads"], *cores);
    }
}

/// The thread that prepares batches is made by the first worker, which is bound to a core.
#[cfg(target_os = "linux")]
#[test]
fn the_thread_that_prepares_batches_may_use_every_core() {
    let cores = std::thread::available_parallelism().unwrap();
    let all = allowed("self").unwrap();
    // A list of numbers and ranges.
    let length = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().unwrap() + 1 - first.parse::<usize>().unwrap()
    };
    if cores.get() == 1 || all.split(',').map(length).sum::<usize>() != cores.get() {
        println!("skipped: workers are bound only where there is one for each of several cores");
        return;
    }
    let place = Place::new();
    let arguments = format!("table1 --activations relu --seeds 0 --epochs 1000 --quiet --threads {cores}");
    let mut child = place.command(&arguments).spawn().unwrap();
    let id = child.id();
    let (mut found, begin) = (None, std::time::Instant::now());
    while found.is_none() && begin.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        found = tasks
            .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "batches\n"))
            // Not before it has set out.
            .filter(|_| allowed(&id.to_string()).is_some_and(|main| main != all))
            .find_map(|task| {
                allowed(&format!("{id}/task/{}", task.file_name().to_string_lossy())).filter(|own| *own == all)
            });
    }
    let main = allowed(&id.to_string());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(main.as_deref(), Some(all.as_str()), "workers are bound to cores");
    assert_eq!(found, Some(all), "{main:?}");
}

/// The cores that a thread may use, as the system writes them; of a process those of its first thread.
#[cfg(target_os = "linux")]
fn allowed(of: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{of}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().to_owned())
}
