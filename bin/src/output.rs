//! What leaves the program: text on stdout and stderr, and files that are never half written, because each version is
//! written beside and then renamed over the last one.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use pvlu_zoo::text::is_acted_on;
use serde_json::Value;

use crate::error::CliError;

/// Prints results on stdout. Whatever they quote, nothing but their ends of lines is acted on by a terminal.
///
/// A reader that has gone (`| head -1`) has seen what it wanted: that is no failure.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", screened(text, |_| true)).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Write { path: PathBuf::from("standard output"), source })
        }
        _ => Ok(()),
    }
}

/// Prints JSON on stdout, over several lines. Its strings are whole: what a terminal would act on is escaped as JSON does.
pub fn print_json(value: &Value) -> Result<(), CliError> {
    print(&json_text(value))
}

/// JSON over several lines, in characters that no terminal acts on. `serde_json` leaves those above U+007E as they are.
pub fn json_text(value: &Value) -> String {
    let escaped = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
    };
    let text = format!("{value:#}");
    // Outside of strings JSON is ASCII, and only its ends of lines are acted on.
    text.chars().fold(String::with_capacity(text.len()), |mut text, c| {
        if is_acted_on(c) && c != '\n' {
            text.push_str(&escaped(c))
        } else {
            text.push(c)
        }
        text
    })
}

/// Prints a line on stderr, if anybody reads it: `eprintln!` would panic otherwise.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{}", screened(line, |_| true));
}

/// Prints an error on stderr. Lines after its first are indented; an end of a line before anything else is of a name that it
/// quotes, and cannot begin a line of its own.
pub fn note_error(error: &dyn Display) {
    let text = screened(&format!("error: {error}"), |rest| rest.starts_with("  "));
    let _ = writeln!(io::stderr(), "{text}");
}

/// The text with escapes in the place of what a terminal acts on, but for ends of lines before a rest that `may_follow`.
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
    let prepared = fs::create_dir_all(folder).and_then(|()| probe(folder));
    prepared.map_err(|source| CliError::Write { path: folder.to_owned(), source })
}

/// Makes sure that a file can be written at a path, before any work is done, and leaves nothing there. Folders that are
/// missing are left to [`write_in_folder`].
pub fn write_probe(path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    if path.is_dir() || path.file_name().is_none() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    let folder = folder_of(path);
    probe(folder.ancestors().nth(missing(folder).count()).unwrap_or(folder)).map_err(failed)
}

/// Writes a file in a folder that is made for it if need be, and that does not stay if the file was not written.
pub fn write_in_folder<T>(path: &Path, write: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    let folder = folder_of(path);
    let made: Vec<&Path> = missing(folder).collect();
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let written = fs::create_dir_all(folder).map_err(failed).and_then(|()| write());
    if written.is_err() {
        // From the innermost on. One that is not empty is of use to somebody, and is not removed.
        made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    written
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Of a folder and those around it, from the innermost on, those that have to be made.
fn missing(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}

/// Whether files can be written in a folder; the working folder for an empty path.
fn probe(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".write-test-{}", std::process::id()));
    File::create(&probe)?;
    fs::remove_file(&probe)
}

/// Writes a file beside its place and renames it.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), CliError> {
    write_together(&[(path, contents)])
}

/// Writes files beside their places, and renames them when all are on disk: a disk that is full leaves all as they were.
pub fn write_together(files: &[(&Path, &[u8])]) -> Result<(), CliError> {
    let beside = |path: &Path| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        PathBuf::from(beside)
    };
    let write = |&(path, contents): &(&Path, &[u8])| {
        let written = File::create(beside(path)).and_then(|mut file| {
            file.write_all(contents)?;
            file.sync_all()
        });
        written.map_err(|source| CliError::Write { path: path.to_owned(), source })
    };
    let rename = |&(path, _): &(&Path, &[u8])| {
        fs::rename(beside(path), path).map_err(|source| CliError::Write { path: path.to_owned(), source })
    };
    let done = files.iter().try_for_each(write).and_then(|()| files.iter().try_for_each(rename));
    if done.is_err() {
        // What could be written is no use to anyone; failing to remove it changes nothing.
        files.iter().for_each(|(path, _)| drop(fs::remove_file(beside(path))));
    }
    done
}

/// Writes a CSV file, whole or not at all.
pub fn write_csv<F: AsRef<[u8]>>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<F>>,
) -> Result<(), CliError> {
    write_atomically(path, &csv_bytes(path, header, rows)?)
}

/// What a CSV file holds; the path is for the error.
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
    fn a_full_disk_leaves_the_last_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        write_csv(&path, &["a"], [vec!["1"]]).unwrap();
        // A device that is always full, in the place of the file beside.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/full", folder.path().join("x.csv.part")).unwrap();
            let error = write_csv(&path, &["a"], [vec!["2"]]).unwrap_err();
            assert!(error.to_string().contains("x.csv"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
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
