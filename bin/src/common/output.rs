//! Output of the programs: text on stdout and stderr, and files that are never half written, see [`pvlu_zoo::atomic`].

use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use pvlu_zoo::atomic::{self, AtomicFile, folder_of};
use pvlu_zoo::text::is_acted_on;
use serde_json::Value;

use crate::common::error::CliError;

/// True in a process that prints nothing, since another one does.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Lets this process print nothing on stdout and stderr, or print again.
pub fn silence(silent: bool) {
    SILENT.store(silent, Ordering::Relaxed);
}

/// True if this process prints nothing.
pub fn is_silent() -> bool {
    SILENT.load(Ordering::Relaxed)
}

/// Prints results on stdout. Control characters in them are escaped, except for line feeds.
///
/// A closed pipe (`| head -1`) is no failure: its reader has seen what it wanted.
pub fn print(text: &str) -> Result<(), CliError> {
    if is_silent() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", screened(text, |_| true)).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Write { path: PathBuf::from("standard output"), source })
        }
        _ => Ok(()),
    }
}

/// Prints JSON on stdout, over several lines. Control characters in its strings are escaped as JSON does.
pub fn print_json(value: &Value) -> Result<(), CliError> {
    print(&json_text(value))
}

/// JSON over several lines without control characters. `serde_json` leaves those above U+007E as they are, so they are
/// escaped here.
pub fn json_text(value: &Value) -> String {
    let escaped = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
    };
    let text = format!("{value:#}");
    // Outside of strings JSON is ASCII, with line feeds as its only control characters.
    text.chars().fold(String::with_capacity(text.len()), |mut text, c| {
        if is_acted_on(c) && c != '\n' {
            text.push_str(&escaped(c))
        } else {
            text.push(c)
        }
        text
    })
}

/// Prints a line on stderr. A closed stderr is ignored, where `eprintln!` would panic.
pub fn note(line: &str) {
    if is_silent() {
        return;
    }
    let _ = writeln!(io::stderr(), "{}", screened(line, |_| true));
}

/// Prints an error on stderr. Its lines after the first are indented; a line feed before other text comes from a name
/// that the error quotes, and is escaped.
pub fn note_error(error: &dyn Display) {
    if is_silent() {
        return;
    }
    let text = screened(&format!("error: {error}"), |rest| rest.starts_with("  "));
    let _ = writeln!(io::stderr(), "{text}");
}

/// The text with its control characters escaped, except for line feeds before a rest that `may_follow`.
fn screened(text: &str, may_follow: impl Fn(&str) -> bool) -> String {
    let mut screened = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_acted_on(c) && !(c == '\n' && may_follow(&text[at + 1..])) {
            screened.extend(c.escape_default());
        } else {
            screened.push(c);
        }
    }
    screened
}

/// Creates the folder and makes sure that files can be written there, before any work is done.
pub fn prepare_folder(folder: &Path) -> Result<(), CliError> {
    let prepared = fs::create_dir_all(folder).and_then(|()| atomic::probe(folder));
    prepared.map_err(|source| CliError::Write { path: folder.to_owned(), source })
}

/// Makes a new folder within another one, which is made if need be. It is called `name` and the first number from 1 on
/// that is free.
pub fn new_folder(within: &Path, name: &str) -> Result<PathBuf, CliError> {
    let failed = |source| CliError::Write { path: within.to_owned(), source };
    fs::create_dir_all(within).map_err(failed)?;
    let mut number = 1_u64;
    loop {
        let folder = within.join(format!("{name}{number}"));
        match fs::create_dir(&folder) {
            // This error also comes for a dangling link, which is not followed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| folder).map_err(failed),
        }
    }
}

/// Makes sure that a file can be written at a path, before any work is done, and leaves nothing there. Folders that are
/// missing are left to [`write_in_folder`].
pub fn write_probe(path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    // A device or FIFO needs no folder that files can be made in.
    let Some(place) = atomic::destination(path).map_err(failed)? else { return Ok(()) };
    let folder = folder_of(&place);
    atomic::probe(folder.ancestors().nth(missing(folder).count()).unwrap_or(folder)).map_err(failed)
}

/// Writes a file in a folder that is made if need be, and removed again if the file was not written.
pub fn write_in_folder<T>(path: &Path, write: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let place = atomic::destination(path).map_err(failed)?;
    let folder = folder_of(place.as_deref().unwrap_or(path));
    let made: Vec<&Path> = missing(folder).collect();
    let written = fs::create_dir_all(folder).map_err(failed).and_then(|()| write());
    if written.is_err() {
        // From the innermost on. A folder that another program has put files in is not empty, and stays.
        made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    written
}

/// The folders that have to be made for this one to be there, itself included, from the innermost on.
fn missing(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}

/// Writes a file atomically: a failure leaves an earlier file as it was.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), CliError> {
    write_together(&[(path, contents)])
}

/// Writes files, and renames them into place once all are on disk: a full disk leaves all earlier files as they were.
pub fn write_together(files: &[(&Path, &[u8])]) -> Result<(), CliError> {
    let failed = |path: &Path, source| CliError::Write { path: path.to_owned(), source };
    let written = |&(path, contents): &(&Path, &[u8])| {
        let mut file = AtomicFile::create(path)?;
        file.write_all(contents)?;
        Ok((path.to_owned(), file))
    };
    let mut all = Vec::new();
    for file in files {
        all.push(written(file).map_err(|source| failed(file.0, source))?);
    }
    AtomicFile::commit_all(all, false).map_err(|(path, source)| failed(&path, source))
}

/// Writes a CSV file atomically.
pub fn write_csv<F: AsRef<[u8]>>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<F>>,
) -> Result<(), CliError> {
    write_atomically(path, &csv_bytes(path, header, rows)?)
}

/// The contents of a CSV file; the path is only for errors.
pub fn csv_bytes<F: AsRef<[u8]>>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<F>>,
) -> Result<Vec<u8>, CliError> {
    let mut contents = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut contents);
    let written = writer.write_record(header).and_then(|()| {
        rows.into_iter().try_for_each(|row| writer.write_record(row))?;
        Ok(writer.flush()?)
    });
    drop(writer);
    written.map_err(|error| CliError::Write { path: path.to_owned(), source: error.into() })?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_ends_of_lines_is_acted_on_by_a_terminal() {
        assert_eq!(screened("a\x1b[2J\nb", |_| true), "a\\u{1b}[2J\nb");
        let error = screened("a\nerror: b\n  c\u{202e}", |rest| rest.starts_with("  "));
        assert_eq!(error, "a\\nerror: b\n  c\\u{202e}");
        let value = serde_json::json!(["\x1b\u{9b}\u{202e}\u{e0041}", "\n"]);
        let text = json_text(&value);
        assert!(text.is_ascii() && text.contains(r#""\u001b\u009b\u202e\udb40\udc41""#), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_file_holds_its_rows_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        write_csv(&path, &["a", "b"], [vec!["1", "with, comma"], vec!["2", ""]]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,\"with, comma\"\n2,\n");
        write_csv(&path, &["a", "b"], [] as [Vec<&str>; 0]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n");
        // A row of another length is a mistake of the program, and no reason to write it.
        assert!(write_csv(&path, &["a", "b"], [vec!["1"]]).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_full_disk_leaves_the_last_versions_of_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let [first, full, last] = ["first", "full", "last"].map(|name| folder.path().join(name));
        // A device on which every write fails.
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        for path in [&first, &last] {
            write_atomically(path, b"old").unwrap();
        }
        let error = write_together(&[(&first, b"new"), (&full, b"new"), (&last, b"new")]).unwrap_err();
        assert!(error.to_string().contains("full: cannot write"), "{error}");
        for path in [&first, &last] {
            assert_eq!(fs::read_to_string(path).unwrap(), "old");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(fs::symlink_metadata(&full).unwrap().is_symlink());
    }

    #[test]
    fn folders_are_made_for_a_file_and_do_not_stay_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/x");
        let entries = || fs::read_dir(folder.path()).unwrap().count();
        write_probe(&path).unwrap();
        assert_eq!(entries(), 0);
        write_in_folder(&path, || Err::<(), _>(CliError::Stopped)).unwrap_err();
        assert_eq!(entries(), 0);
        write_in_folder(&path, || write_atomically(&path, b"x")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
        write_in_folder(&path.with_file_name("y"), || Err::<(), _>(CliError::Stopped)).unwrap_err();
        assert!(path.exists());
        assert!(write_probe(&path.with_file_name("")).is_err() && write_probe(&path.join("below")).is_err());
        write_probe(Path::new("name-alone")).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results");
        fs::write(&file, "").unwrap();
        let error = prepare_folder(&file).unwrap_err();
        assert!(error.to_string().contains("results"), "{error}");
    }
}
