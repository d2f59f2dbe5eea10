//! Steps that take more memory than the process may use.

use std::process::{Command, Stdio};

use crate::support::{Place, Ran};

/// `zoo ARGUMENTS` with two gigabytes of address space.
fn limited(arguments: &str) -> Ran {
    let place = Place::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_zoo")]);
    command.args(arguments.split_whitespace()).current_dir(place.path("")).stdin(Stdio::null());
    Ran::of(command)
}

#[test]
fn a_batch_that_cannot_fit_is_an_error_that_says_how_much_it_takes() {
    let bench = "bench --model cifar_resnet20 --steps 1 --threads 1";
    limited(&format!("{bench} --batch 8")).succeeded();
    let words = ["20000 images", "at least 2.6 GB", "may use 2.0 GB", "--batch"];
    limited(&format!("{bench} --batch 20000")).failed_in_one_line(1, &words);
    // Training keeps what inference lets go.
    limited(&format!("{bench} --batch 4000 --mode train")).failed_in_one_line(1, &["4000 images", "at least 3."]);
}
