//! The tuning of a network as lines for people.

use std::fmt::Write as _;

use pvlu_zoo::checkpoint::{Augmented, KeptNetwork, Tuning, TuningPhase};
use pvlu_zoo::text::{listed, shown};

/// Phases that are shown at most; a tuning has two.
const PHASES: usize = 8;

/// Lines with their names, of what is known of a tuning.
pub fn lines(tuning: &Tuning) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut by: Vec<String> = Vec::new();
    by.extend(tuning.version.as_ref().map(|version| format!("by version {}", shown(version))));
    by.extend((tuning.earlier > 0).then(|| format!("after {}", counted(tuning.earlier, "earlier tuning"))));
    by.extend(tuning.activation_before.as_ref().map(|name| format!("from {}", shown(name))));
    by.extend(tuning.seed.map(|seed| format!("seed {seed}")));
    let from_scratch = tuning.start.as_deref() == Some("scratch");
    by.extend(from_scratch.then(|| "from scratch".to_owned()));
    lines.push((if from_scratch { "trained" } else { "tuned" }, by.join(", ")));
    let mut optimizer: Vec<String> = Vec::new();
    optimizer.extend(tuning.optimizer.as_ref().map(|name| shown(name).to_string()));
    optimizer.extend(tuning.betas.map(|[first, second]| format!("betas {first} and {second}")));
    optimizer.extend(tuning.epsilon.map(|epsilon| format!("epsilon {epsilon:e}")));
    optimizer.extend(
        tuning
            .momentum
            .map(|momentum| format!("{}momentum {momentum}", if tuning.nesterov { "Nesterov's " } else { "" })),
    );
    optimizer.extend(tuning.weight_decay.map(|decay| format!("weight decay {decay}")));
    optimizer.extend(tuning.loss.as_ref().map(|loss| format!("loss {}", shown(loss))));
    optimizer.extend(tuning.label_smoothing.map(|share| format!("label smoothing {share}")));
    optimizer.extend(tuning.average.map(|decay| format!("moving average {decay}")));
    lines.push(("optimizer", optimizer.join(", ")));
    lines.extend(tuning.precision.as_ref().map(|name| ("precision", format!("factors in {}", shown(name)))));
    let mut images: Vec<String> = Vec::new();
    images.extend(tuning.train_images.map(|count| format!("{count} an epoch")));
    images.extend(tuning.held_out_images.map(|count| format!("{count} held out")));
    let shards = tuning.shards.map_or_else(String::new, |shards| format!(" in {}", counted(shards, "shard")));
    images.extend(tuning.batch_size.map(|count| format!("{count} a step{shards}")));
    match tuning.augmentation {
        Some(Augmented { flip, shift, cutout, part, jitter }) => {
            images.extend(part.map(|least| format!("parts of {least} of the area on")));
            images.extend(jitter.map(|most| format!("colors scaled by up to {most}")));
            images.extend(flip.then(|| "mirrored".to_owned()));
            images.extend((shift > 0).then(|| format!("shifted by up to {shift} pixels")));
            images.extend(cutout.map(|side| format!("a square of {side} pixels cut out")));
        }
        None if !images.is_empty() => images.push("as they are".to_owned()),
        None => {}
    }
    images.extend(tuning.mixup.map(|alpha| format!("mixed with alpha {alpha}")));
    lines.push(("images", images.join(", ")));
    let mut schedule = tuning.schedule.as_ref().map_or_else(String::new, |name| format!(", {}", shown(name)));
    if let Some(factor) = tuning.factor {
        let epochs = listed(tuning.milestones.iter(), PHASES);
        let _ = write!(schedule, " of {factor} at {epochs} epochs");
    }
    if tuning.warm_up > 0 {
        let _ = write!(schedule, " after {} of warm-up", counted(tuning.warm_up, "epoch"));
    }
    if let Some(rate) = tuning.head_rate {
        let _ = write!(schedule, ", {rate} times that for the head");
    }
    for (index, phase) in tuning.phases.iter().take(PHASES).enumerate() {
        let TuningPhase { train, epochs, learning_rate } = phase;
        let parts = listed(train.iter().map(|part| shown(part)), PHASES);
        let name = if index == 0 { "phases" } else { "" };
        let epochs = counted(*epochs, "epoch");
        lines.push((name, format!("{}: {epochs} of {parts}, learning rate {learning_rate}{schedule}", index + 1)));
    }
    if let Some(KeptNetwork { phase, epoch, training_loss }) = tuning.kept {
        let loss = training_loss.map_or_else(String::new, |loss| format!(", training loss {loss:.4}"));
        lines.push(("kept", format!("the network after epoch {epoch} of phase {}{loss}", phase.saturating_add(1))));
    }
    let mut accuracy: Vec<String> = Vec::new();
    accuracy.extend(tuning.top1_before.map(|top1| format!("{top1:.4} before the last phase")));
    accuracy.extend(tuning.top1.map(|top1| format!("{top1:.4} after it")));
    accuracy.extend(tuning.test_images.filter(|_| !accuracy.is_empty()).map(|count| counted(count, "test image")));
    lines.push(("accuracy", accuracy.join(", ")));
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

/// A number and what it counts, in the plural if it is not one.
fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
