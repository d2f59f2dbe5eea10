//! The program as a user runs it: each test starts the process and looks at its exit code, its output and its files.

#[path = "cli/arguments.rs"]
mod arguments;
#[path = "cli/bad_data.rs"]
mod bad_data;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/figures.rs"]
mod figures;
#[path = "cli/interrupts.rs"]
mod interrupts;
#[path = "cli/pretrained.rs"]
mod pretrained;
#[path = "cli/real_data.rs"]
mod real_data;
#[path = "cli/repeats.rs"]
mod repeats;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/tables.rs"]
mod tables;
#[path = "cli/tuning.rs"]
mod tuning;
#[path = "cli/weights.rs"]
mod weights;
#[path = "cli/zoo.rs"]
mod zoo;
