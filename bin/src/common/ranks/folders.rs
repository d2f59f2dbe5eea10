//! Copies of the first rank's output folders, in which the others work.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pvlu::shard::Ranks;
use tempfile::TempDir;

use crate::common::error::CliError;

/// The temporary folder of this rank.
static TEMPORARY: Mutex<Option<TempDir>> = Mutex::new(None);

/// Folders that no command reads again, however large they are.
const LEFT_OUT: [&str; 2] = ["aside", ".lock"];

/// Puts copies of what the first rank has at these paths into a temporary folder of every other one, and has their
/// paths lead there.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn copy(outputs: Vec<&mut PathBuf>, ranks: &dyn Ranks) -> Result<(), CliError> {
    let is_first = ranks.rank() == 0;
    let temporary = if is_first {
        None
    } else {
        let made = tempfile::Builder::new().prefix("pvlu_zoo-rank-").tempdir();
        Some(made.map_err(|source| CliError::Write { path: std::env::temp_dir(), source })?)
    };
    let place = temporary.as_ref().map(|folder| folder.path().to_owned());
    *TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner) = temporary;
    for (number, output) in outputs.into_iter().enumerate() {
        let Some(place) = &place else {
            send(output, ranks)?;
            continue;
        };
        // A name of its own tells a file from a folder.
        let copy = place.join(number.to_string()).join(output.file_name().unwrap_or("output".as_ref()));
        fs::create_dir_all(place.join(number.to_string()))
            .and_then(|()| receive(&copy, ranks))
            .map_err(|source| CliError::Write { path: copy.clone(), source })?;
        *output = copy;
    }
    Ok(())
}

/// Removes the temporary folder of this rank.
pub fn remove() {
    drop(TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Sends the other ranks what is at a path: the path below it and the bytes of each file, and then nothing.
fn send(output: &Path, ranks: &dyn Ranks) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CliError::Read { path, source }
    };
    if output.is_dir() {
        let mut folders = vec![output.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
                let entry = entry.map_err(failed(&folder))?;
                if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                    continue;
                }
                let path = entry.path();
                let within = path.strip_prefix(output).unwrap_or(&path).to_string_lossy().into_owned();
                if path.is_dir() {
                    ranks.gather(message(b'd', &within, &[]));
                    folders.push(path);
                } else if path.is_file() {
                    ranks.gather(message(b'f', &within, &fs::read(&path).map_err(failed(&path))?));
                }
            }
        }
    } else if output.is_file() {
        // Whether a file is there decides; what it holds is not read.
        ranks.gather(message(b'f', "", &[]));
    }
    ranks.gather(Vec::new());
    Ok(())
}

/// A kind, the length of a path, the path, and the bytes of a file.
fn message(kind: u8, path: &str, bytes: &[u8]) -> Vec<u8> {
    [&[kind], &(path.len() as u64).to_le_bytes()[..], path.as_bytes(), bytes].concat()
}

/// Writes what the first rank sends.
fn receive(output: &Path, ranks: &dyn Ranks) -> io::Result<()> {
    loop {
        let mut all = ranks.gather(Vec::new());
        let message = if all.is_empty() { Vec::new() } else { all.swap_remove(0) };
        let Some((kind, rest)) = message.split_first() else { return Ok(()) };
        let Some((len, rest)) = rest.split_first_chunk() else { return Ok(()) };
        let Some((path, bytes)) = rest.split_at_checked(u64::from_le_bytes(*len) as usize) else { return Ok(()) };
        let path = match path {
            [] => output.to_owned(),
            path => output.join(String::from_utf8_lossy(path).as_ref()),
        };
        match kind {
            b'd' => fs::create_dir_all(&path)?,
            _ => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&path, bytes)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pvlu::shard::ThreadRanks;

    use super::*;

    #[test]
    fn all_ranks_find_what_the_first_one_has() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("first");
        fs::create_dir_all(folder.join("runs/empty")).unwrap();
        fs::create_dir_all(folder.join("aside/1")).unwrap();
        fs::write(folder.join("aside/1/old"), "old").unwrap();
        fs::write(folder.join("runs/a"), "a").unwrap();
        fs::write(folder.join("b"), "").unwrap();
        for output in [folder.clone(), folder.join("b"), place.path().join("nothing")] {
            let copies: Vec<PathBuf> = (0..2).map(|rank| place.path().join(format!("copy{rank}"))).collect();
            std::thread::scope(|scope| {
                for (number, ranks) in ThreadRanks::new(3).into_iter().enumerate() {
                    let (output, copies) = (&output, &copies);
                    scope.spawn(move || match number {
                        0 => send(output, &ranks).unwrap(),
                        _ => receive(&copies[number - 1], &ranks).unwrap(),
                    });
                }
            });
            for copy in copies {
                assert_eq!((copy.is_dir(), copy.is_file()), (output.is_dir(), output.is_file()));
                if copy.is_dir() {
                    assert!(copy.join("runs/empty").is_dir() && !copy.join("aside").exists());
                    assert_eq!(fs::read(copy.join("runs/a")).unwrap(), b"a");
                    assert_eq!(fs::read(copy.join("b")).unwrap(), b"");
                    fs::remove_dir_all(copy).unwrap();
                } else if copy.is_file() {
                    fs::remove_file(copy).unwrap();
                }
            }
        }
    }
}
