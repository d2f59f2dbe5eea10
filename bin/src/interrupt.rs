//! Ctrl-C: the first one asks for an orderly end, a second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::output::note;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler, for SIGINT alone: SIGTERM and SIGHUP end the process as usual, which loses nothing, because files
/// are complete at any moment, and lets `nohup` keep a long run alive. Without a handler (another was installed) Ctrl-C
/// ends the process as usual too.
pub fn install() {
    let installed = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    if let Err(error) = installed {
        note(&format!("warning: Ctrl-C will end the program at once: {error}"));
    }
}

/// Whether an end was asked for.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
