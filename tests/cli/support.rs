//! Starts the program, reads its CSV files, and writes data in CIFAR-100's format.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder of its own for a test: where the program is started, and where it writes to `results`.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A place in a new, empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `reproduce ARGUMENTS`, started in this folder, without the developer's data.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("PVLU_ZOO_DATA");
        command
    }

    /// Runs `reproduce ARGUMENTS` to its end.
    pub fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments))
    }

    /// The hash of the first run that a command plans, of a table with its options.
    pub fn planned_hash(&self, table: &str) -> String {
        let plan = self.run(&format!("plan {table} --json")).succeeded();
        assert_eq!(plan.stderr, "", "a plan computes nothing");
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
        plan["runs"][0]["hash"].as_str().unwrap().to_owned()
    }

    /// Names in the folder `results`, sorted; none if it is not there.
    pub fn results(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("results")) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A CSV file in `results`.
    pub fn csv(&self, name: &str) -> Csv {
        Csv::read(&self.path("results").join(name))
    }
}

/// The exit code and the output of a program that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(mut command: Command) -> Self {
        command.output().unwrap().into()
    }

    /// The program did what it was asked for.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// The program ended with this code, printed no results, and its last words are one line that begins with `error: `
    /// and holds all of `words`.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("RUST_BACKTRACE"), "{self:?}");
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{self:?}");
        for word in words {
            assert!(errors[0].contains(word), "no {word:?} in {:?}", errors[0]);
        }
        self
    }

    /// As [`failed`](Self::failed), and the line is all that there is on stderr.
    #[track_caller]
    pub fn failed_in_one_line(self, code: i32, words: &[&str]) -> Self {
        let ran = self.failed(code, words);
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        ran
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// One row by column.
pub type Row = BTreeMap<String, String>;

/// A CSV file in memory.
pub struct Csv {
    pub text: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

impl Csv {
    /// Reads a file; a row with another number of fields than the header is an error.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.ends_with('\n'), "the last row is cut: {text:?}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let row = |record: csv::StringRecord| columns.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        let rows = reader.records().map(|record| row(record.unwrap())).collect();
        Self { text, columns, rows }
    }

    /// All but the columns that end in `_seconds`, which depend on the machine: the header and the rows.
    pub fn lasting(&self) -> Vec<Vec<&str>> {
        let kept: Vec<&str> =
            self.columns.iter().map(String::as_str).filter(|column| !column.ends_with("_seconds")).collect();
        let rows = self.rows.iter().map(|row| kept.iter().map(|&column| row[column].as_str()).collect());
        std::iter::once(kept.clone()).chain(rows).collect()
    }

    /// The rows with these values.
    pub fn rows_with(&self, wanted: &[(&str, &str)]) -> Vec<&Row> {
        self.rows.iter().filter(|row| wanted.iter().all(|(column, value)| row[*column] == *value)).collect()
    }
}

/// A field as a number.
#[track_caller]
pub fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|error| panic!("{column} {:?}: {error}", row[column]))
}

/// A folder with the two files of CIFAR-100: `train` and `test` records of the classes 0, 25, 50 and 75 in turn, each a
/// grey of its own with some noise, so that one epoch is enough to be far above chance.
pub fn write_cifar100(folder: &Path, train: usize, test: usize) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("train.bin"), records(train, 0)).unwrap();
    fs::write(folder.join("test.bin"), records(test, 1)).unwrap();
}

/// Bytes of a CIFAR-100 record: superclass, class, pixels.
pub const RECORD: usize = 2 + 3072;

/// The bytes of as many records as [`write_cifar100`] is asked for.
pub fn records(count: usize, seed: u32) -> Vec<u8> {
    let mut state = 2 * seed + 1;
    let mut bytes = Vec::with_capacity(count * RECORD);
    for index in 0..count {
        let class = 25 * (index % 4) as u8;
        bytes.extend([class / 5, class]);
        bytes.extend((0..3072).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            40 + 2 * class + (state >> 27) as u8
        }));
    }
    bytes
}

/// `--data FOLDER` for a command.
pub fn with_data(mut command: Command, folder: impl AsRef<OsStr>) -> Command {
    command.arg("--data").arg(folder);
    command
}
