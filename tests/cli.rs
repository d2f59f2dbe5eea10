//! The program as a user runs it: each test starts the process and looks at its exit code, its output and its files.

// Tests compare with the system's functions.
#![allow(clippy::disallowed_methods)]

#[path = "cli/arguments.rs"]
mod arguments;
#[path = "cli/bad_data.rs"]
mod bad_data;
#[path = "cli/choice.rs"]
mod choice;
#[path = "cli/data.rs"]
mod data;
#[path = "cli/dependencies.rs"]
mod dependencies;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/earlier.rs"]
mod earlier;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/figures.rs"]
mod figures;
#[path = "cli/info.rs"]
mod info;
#[path = "cli/interrupts.rs"]
mod interrupts;
#[path = "cli/kept.rs"]
mod kept;
#[path = "cli/kept_tunings.rs"]
mod kept_tunings;
#[path = "cli/machine.rs"]
mod machine;
#[cfg(target_os = "linux")]
#[path = "cli/memory.rs"]
mod memory;
#[path = "cli/messages.rs"]
mod messages;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/precision.rs"]
mod precision;
#[path = "cli/pretrained.rs"]
mod pretrained;
#[path = "cli/protocols.rs"]
mod protocols;
#[path = "cli/published.rs"]
mod published;
#[path = "cli/ranks.rs"]
mod ranks;
#[path = "cli/real_data.rs"]
mod real_data;
#[path = "cli/repeats.rs"]
mod repeats;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/shards.rs"]
mod shards;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/sweeps.rs"]
mod sweeps;
#[path = "cli/tables.rs"]
mod tables;
#[path = "cli/training.rs"]
mod training;
#[path = "cli/tuned.rs"]
mod tuned;
#[path = "cli/tuning.rs"]
mod tuning;
#[path = "cli/unsafe_code.rs"]
mod unsafe_code;
#[path = "cli/weights.rs"]
mod weights;
#[path = "cli/zoo.rs"]
mod zoo;
