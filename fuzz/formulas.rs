//! The test that the fuzz target of formulas makes of its input: a text as it stands in a file or on a command line.
//! `cargo test` makes the same of the files in `corpus/formula`.

use pvlu::activation::WrittenError;
use pvlu::activation::written::{MAX_CHARS, Written, is_formula, parse_settings, split_list};
use pvlu::kernel::cpu::activation::program;
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::write::InputGradient;

/// Reads a text in every way. What is accepted is written back as the same, and runs; what is refused says why in three
/// lines.
pub fn formula(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let parts = split_list(&text);
    assert!(parts.iter().map(|part| part.len() + 1).sum::<usize>() <= text.len() + 1);
    for part in parts {
        match Written::parse(part) {
            Ok(written) => accepted(&written),
            Err(error) => refused(part, &error),
        }
        // Settings are what is left of a text without its formula.
        match parse_settings(part) {
            Ok(settings) => assert!(!settings.is_empty() && settings.iter().all(|setting| setting.start.is_finite())),
            Err(error) => refused(part, &error),
        }
    }
}

fn accepted(written: &Written) {
    let text = written.text();
    assert!(text.len() <= MAX_CHARS && is_formula(text) && !text.contains(char::is_control), "{text}");
    let again = Written::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!((again.text(), again.name(), again.params()), (text, written.name(), written.params()));
    assert!(written.params().len() <= 4);

    let layout = ChannelsLayout { outer: 1, channels: 1, inner: 3 };
    let starts: Vec<[f32; 1]> = written.params().iter().map(|param| [param.start as f32]).collect();
    let params: Vec<&[f32]> = starts.iter().map(|start| &start[..]).collect();
    let (x, mut y, mut dx) = ([0.0, 1.0, f32::NAN], [0.0; 3], [1.0; 3]);
    program::forward(written.program(), layout, &x, &params, &mut y);
    let mut grads = starts.clone();
    let mut grads: Vec<Option<&mut [f32]>> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
    program::backward(
        written.program(),
        layout,
        (&x[..]).into(),
        &params,
        &[],
        InputGradient::InPlace(&mut dx),
        &mut grads,
    );
    // Where it was looked at, in f32.
    let said = [y[0], y[1], dx[0], dx[1]];
    assert!(said.iter().all(|value| value.is_finite()), "{text}: {said:?}");
}

fn refused(text: &str, error: &WrittenError) {
    let message = error.to_string();
    let lines: Vec<&str> = message.split('\n').collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert!(lines.iter().all(|line| line.chars().count() <= 1100 && !line.contains(char::is_control)), "{message}");
    let (caret, blank) = (lines[2].trim_start(), lines[2].chars().count() - 1);
    assert!(lines[1].starts_with("  ") && caret == "^" && blank <= lines[1].chars().count(), "{message}");
    assert!(error.place() <= text.chars().count(), "{message}");
}
