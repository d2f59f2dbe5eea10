//! Signals that ask for an end: the first one for an orderly one, a second one ends the process.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::common::output::note;

/// 128 + the number of the signal, as shells report it.
const INTERRUPT: u8 = 130;
#[cfg(unix)]
const TERMINATE: u8 = 143;

/// The exit code of the signal that came, 0 before.
static ASKED: AtomicU8 = AtomicU8::new(0);

/// Installs the handler of Ctrl-C. SIGTERM and SIGHUP end the process as usual, which loses nothing where files are
/// complete at any moment, and lets `nohup` keep a long run alive. Without a handler (another was installed) Ctrl-C
/// ends the process as usual too.
pub fn install() {
    if let Err(error) = ctrlc::set_handler(|| ask(INTERRUPT)) {
        note(&format!("warning: Ctrl-C will end the program at once: {error}"));
    }
}

/// As [`install`], and SIGTERM is taken as Ctrl-C is: for work that is in memory alone. To be called before there are
/// other threads, which would otherwise still be ended by it.
pub fn install_with_termination() {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};
        let terminate = SigSet::from(Signal::SIGTERM);
        // Held back from every thread, so that the one that waits for it gets it.
        if terminate.thread_block().is_ok() {
            let wait = move || {
                while terminate.wait().is_ok() {
                    ask(TERMINATE);
                }
            };
            if std::thread::Builder::new().name("signals".to_owned()).spawn(wait).is_err() {
                // It ends the process as usual then.
                let _ = terminate.thread_unblock();
            }
        }
    }
    install();
}

fn ask(code: u8) {
    if ASKED.swap(code, Ordering::SeqCst) != 0 {
        std::process::exit(code.into());
    }
}

/// Whether an end was asked for.
pub fn interrupted() -> bool {
    ASKED.load(Ordering::SeqCst) != 0
}

/// `Break` once an end was asked for, for what goes on step by step.
pub fn flow() -> ControlFlow<()> {
    if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The exit code of a program that ended because it was asked to: 143 after SIGTERM, else 130.
pub fn exit_code() -> u8 {
    match ASKED.load(Ordering::SeqCst) {
        0 => INTERRUPT,
        code => code,
    }
}
