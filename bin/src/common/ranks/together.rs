//! A command that several ranks do together.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use pvlu::NUMERICS_VERSION;
use pvlu::shard::Ranks;
use pvlu_zoo::train::among;

use super::courier::End;
use super::folders;
use super::launcher::Launcher;
use super::ranked::Ranked;
use super::sharing::{PARTY, Party, agree, name_of};
use super::world::World;
use crate::common::error::CliError;
use crate::common::exit::{PANICKED, exit_code};
use crate::common::{digest, interrupt, output};

/// Starts MPI, and does a command together with the other ranks. Only the first one returns an error.
pub fn several<C: Ranked>(
    launcher: Launcher,
    cli: &mut C,
    work: impl FnOnce(&C) -> Result<(), CliError>,
) -> Result<(), CliError> {
    // Before MPI starts threads, which SIGTERM would still end.
    interrupt::install_with_termination();
    let world = Arc::new(World::start(launcher.count)?);
    let is_first = world.rank() == 0;
    output::silence(!is_first);
    let done = catch_unwind(AssertUnwindSafe(|| all_do(&world, cli, work)));
    let (code, text) = match &done {
        Ok(Ok(())) => (0, String::new()),
        // What a rank keeps is in a temporary folder, unless it is the first one.
        Ok(Err(error)) if is_interruption(error) => (exit_code(error), "interrupted".to_owned()),
        Ok(Err(error)) => (exit_code(error), error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            (PANICKED, format!("panicked: {}", text.unwrap_or("without a message")))
        }
    };
    let other = world.end(End { code, follows: false, text });
    folders::remove();
    let other = other.map(|(rank, End { code, text, .. })| CliError::Rank { name: name_of(rank), code, text });
    match (done, other) {
        (Err(panic), _) => resume_unwind(panic),
        (Ok(_), _) if !is_first => Ok(()),
        // All ranks stop where one of them has an error, which is then what there is to say.
        (Ok(Err(error)), Some(other)) if is_interruption(&error) && !is_interruption(&other) => Err(other),
        (Ok(Err(error)), _) | (Ok(Ok(())), Some(error)) => Err(error),
        (Ok(Ok(())), None) => Ok(()),
    }
}

/// True for the end of a command that a signal has asked to end.
fn is_interruption(error: &CliError) -> bool {
    interrupt::is_exit_code(exit_code(error))
}

fn all_do<C: Ranked>(
    world: &Arc<World>,
    cli: &mut C,
    work: impl FnOnce(&C) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let ranks: Arc<dyn Ranks> = Arc::clone(world) as _;
    PARTY.get_or_init(|| party(Arc::clone(&ranks), world.host()));
    let program = std::env::current_exe().map_err(|source| CliError::Read { path: "the program".into(), source })?;
    let version = env!("CARGO_PKG_VERSION");
    let program = format!("{version}, numerics {NUMERICS_VERSION}, sha256 {}", digest::of_file(&program)?);
    let arguments: Vec<_> = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    agree([("program", program.as_str()), ("arguments", &arguments.join(" "))])?;
    let Some(outputs) = cli.outputs() else {
        let count = world.count();
        let command = arguments.first().map_or("", String::as_str);
        return Err(CliError::Usage(format!(
            "{command} on {count} ranks: it is done by one process; several share zoo train, zoo finetune, zoo eval, \
             and the tables of reproduce"
        )));
    };
    folders::copy(outputs, &*ranks)?;
    among(ranks, || work(cli))
}

/// The ranks with the machines that they run on.
fn party(ranks: Arc<dyn Ranks>, host: &str) -> Party {
    let cores = cores();
    let said = ranks.gather([host.as_bytes(), &[0], &cores].concat());
    let read = |message: &Vec<u8>| {
        let end = message.iter().position(|&byte| byte == 0).unwrap_or(message.len());
        let (host, cores) = message.split_at(end);
        (String::from_utf8_lossy(host).into_owned(), cores.get(1..).unwrap_or_default().to_vec())
    };
    let of_ranks: Vec<(String, Vec<u8>)> = said.iter().map(read).collect();
    let shares = |(of, theirs): &(String, Vec<u8>)| {
        *of == host && (cores.is_empty() || theirs.iter().zip(&cores).any(|(theirs, own)| *theirs != 0 && *own != 0))
    };
    let on_these_cores = of_ranks.iter().filter(|rank| shares(rank)).count().max(1);
    Party { ranks, hosts: of_ranks.into_iter().map(|(host, _)| host).collect(), on_these_cores }
}

/// A byte for each core of the machine, 1 if this process may use it; nothing if the system does not say.
#[cfg(target_os = "linux")]
fn cores() -> Vec<u8> {
    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).map(|core| u8::from(allowed.is_set(core) == Ok(true))).collect()
}

#[cfg(not(target_os = "linux"))]
fn cores() -> Vec<u8> {
    Vec::new()
}
