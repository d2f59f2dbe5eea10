//! The display of progress on stderr: a bar and notes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pvlu_zoo::train::{EpochRecord, Evaluation, Event};

use crate::common::output;

/// Notes and a progress bar. The bar is drawn only if stderr is a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// The display of a command; if `quiet`, it shows nothing but the lines of [`say`](Self::say).
    pub fn new(quiet: bool) -> Self {
        let target =
            if quiet || output::is_silent() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg} (eta {eta})") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, quiet }
    }

    /// Prints a line on stderr, unless the display is quiet.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(line);
        }
    }

    /// Prints a line on stderr, even if the display is quiet.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| output::note(line));
    }

    /// Starts the bar of a run at zero.
    pub fn start_run(&self, name: &str, epochs: u64) {
        self.bar.reset();
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
        self.bar.set_length(epochs);
    }

    /// Moves the bar of a run that goes on to the step where it was; the time left is that of the steps from there.
    pub fn go_on(&self, epochs: u64, steps: u64, done: u64) {
        self.bar.set_length(epochs * steps);
        self.bar.set_position(done);
        self.bar.reset_eta();
    }

    /// Moves the bar of a run after a step, and notes the results of an epoch.
    pub fn observe(&self, run: &str, epochs: u64, event: Event<'_>) {
        match event {
            Event::Step { epoch, step, steps, loss } => {
                self.bar.set_length(epochs * steps);
                self.bar.set_position((epoch - 1) * steps + step);
                self.bar.set_message(format!("epoch {epoch}/{epochs}, loss {loss:.3}"));
            }
            Event::Evaluating => {}
            Event::Epoch(record) => self.note(&epoch_line(run, epochs, record)),
        }
    }

    /// Removes the bar from the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A time in a few words, for people.
pub fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn epoch_line(run: &str, epochs: u64, record: &EpochRecord) -> String {
    let measured = |what: &str, evaluation: &Evaluation| match evaluation.images {
        0 => String::new(),
        _ => format!(" {what} {:.1} %,", 100.0 * evaluation.top1),
    };
    let left = epochs.saturating_sub(record.epoch) as f64 * record.seconds;
    let left = if left > 0.0 { format!(", about {} left", duration(left)) } else { String::new() };
    format!(
        "{run}: epoch {}/{epochs}, loss {:.4}, train {:.1} %,{}{} {:.1} s{left}",
        record.epoch,
        record.train_loss,
        100.0 * record.train_top1,
        measured("held out", &record.validation),
        measured("test", &record.test),
        record.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short() {
        assert_eq!([5.4, 600.0, 9000.0].map(duration), ["5 s", "10 min", "2.5 h"]);
    }
}
