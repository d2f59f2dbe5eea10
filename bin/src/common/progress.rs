//! What a user sees while a table is run: bars and notes on stderr.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pvlu_zoo::train::{EpochRecord, Evaluation, Event};

use crate::common::output;

/// Notes and one progress bar. Bars are drawn only where stderr is a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Nothing but errors and what [`say`](Self::say) says if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg} (eta {eta})") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, quiet }
    }

    /// A line on stderr.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(line);
        }
    }

    /// A line on stderr that nobody can do without.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| output::note(line));
    }

    /// Starts the bar of a run.
    pub fn start_run(&self, name: &str, epochs: u64) {
        self.bar.reset();
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
        self.bar.set_length(epochs);
    }

    /// Moves the bar of a run.
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

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn epoch_line(run: &str, epochs: u64, record: &EpochRecord) -> String {
    let measured = |what: &str, evaluation: &Evaluation| match evaluation.images {
        0 => String::new(),
        _ => format!(" {what} {:.1} %,", 100.0 * evaluation.top1),
    };
    format!(
        "{run}: epoch {}/{epochs}, loss {:.4}, train {:.1} %,{}{} {:.1} s",
        record.epoch,
        record.train_loss,
        100.0 * record.train_top1,
        measured("held out", &record.validation),
        measured("test", &record.test),
        record.seconds
    )
}
