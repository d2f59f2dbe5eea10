//! Signals that ask the program to end: the first one ends it in order, a second one ends the process at once.

use std::ops::ControlFlow;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::common::output::note;

/// Exit codes: 128 + the number of the signal, as shells report it.
const INTERRUPT: u8 = 130;
const TERMINATE: u8 = 143;

/// The exit code of the last signal; 0 before the first.
static ASKED: AtomicU8 = AtomicU8::new(0);

/// Installs the handler of Ctrl-C. SIGTERM and SIGHUP end the process as usual, which loses nothing where files are
/// complete at any moment, and lets `nohup` keep a long run alive. Without a handler (another was installed) Ctrl-C
/// ends the process as usual too.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = ctrlc::set_handler(|| ask(INTERRUPT)) {
            note(&format!("warning: Ctrl-C will end the program at once: {error}"));
        }
    });
}

/// As [`install`], and SIGTERM is handled like Ctrl-C: for commands that hold their results in memory alone. To be
/// called before other threads are started, which SIGTERM would still end.
pub fn install_with_termination() {
    #[cfg(unix)]
    {
        static ONCE: Once = Once::new();
        ONCE.call_once(wait_for_termination);
    }
    install();
}

/// Handles SIGTERM on a thread of its own.
#[cfg(unix)]
fn wait_for_termination() {
    use nix::sys::signal::{SigSet, Signal};
    let terminate = SigSet::from(Signal::SIGTERM);
    // The signal is blocked in every thread, so that only the waiting one receives it.
    if terminate.thread_block().is_ok() {
        let wait = move || {
            while terminate.wait().is_ok() {
                ask(TERMINATE);
            }
        };
        if std::thread::Builder::new().name("signals".to_owned()).spawn(wait).is_err() {
            // Without the thread, SIGTERM ends the process as usual.
            let _ = terminate.thread_unblock();
        }
    }
}

fn ask(code: u8) {
    if ASKED.swap(code, Ordering::SeqCst) != 0 {
        std::process::exit(code.into());
    }
}

/// True once a signal asked the program to end.
pub fn interrupted() -> bool {
    ASKED.load(Ordering::SeqCst) != 0
}

/// `Break` once a signal asked the program to end, for callbacks of loops.
pub fn flow() -> ControlFlow<()> {
    if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The exit code of a program that a signal asked to end: 143 after SIGTERM, else 130.
pub fn exit_code() -> u8 {
    match ASKED.load(Ordering::SeqCst) {
        0 => INTERRUPT,
        code => code,
    }
}

/// True for the exit code of a program that a signal asked to end.
pub fn is_exit_code(code: u8) -> bool {
    [INTERRUPT, TERMINATE].contains(&code)
}
