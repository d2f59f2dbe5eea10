//! Copies of the first rank's output folders, in which the others work.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pvlu::shard::Ranks;
use tempfile::TempDir;

use crate::common::error::CliError;

/// The temporary folder of this rank.
static TEMPORARY: Mutex<Option<TempDir>> = Mutex::new(None);

/// Names of what no other rank has to know of.
const LEFT_OUT: [&str; 2] = ["aside", ".lock"];

/// Folders and ends of names of files that are written and never read: whether they are there decides.
const WRITTEN_ALONE: [&str; 2] = ["tensorboard", "weights"];
const ENDS: [&str; 4] = ["best.safetensors", "last.safetensors", ".png", ".svg"];

/// The most bytes of a file that are sent at a time.
const PIECE: u64 = 16 << 20;

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
                let path = entry.map_err(failed(&folder))?.path();
                let within = path.strip_prefix(output).unwrap_or(&path).to_string_lossy().into_owned();
                if LEFT_OUT.iter().any(|name| path.ends_with(name)) {
                    continue;
                }
                // A link to a folder may lead to one that it is in.
                if path.is_dir() && !path.is_symlink() {
                    tell(ranks, FOLDER, &within, &[]);
                    folders.push(path);
                } else if path.is_file() {
                    send_file(&path, &within, ranks).map_err(failed(&path))?;
                }
            }
        }
    } else if output.is_file() {
        tell(ranks, FILE, "", &[]);
    }
    ranks.gather(Vec::new());
    Ok(())
}

/// Sends a file in pieces; of one that is never read none.
fn send_file(path: &Path, within: &str, ranks: &dyn Ranks) -> io::Result<()> {
    tell(ranks, FILE, within, &[]);
    let is_written_alone = |path: &Path| {
        path.components().any(|part| WRITTEN_ALONE.iter().any(|name| part.as_os_str() == *name))
            || ENDS.iter().any(|end| path.to_string_lossy().ends_with(end))
    };
    if is_written_alone(Path::new(within)) {
        return Ok(());
    }
    let file = fs::File::open(path)?;
    loop {
        let mut piece = Vec::new();
        if (&file).take(PIECE).read_to_end(&mut piece)? == 0 {
            return Ok(());
        }
        tell(ranks, PART, within, &piece);
    }
}

/// Kinds of messages: a folder, a new file, and more bytes of a file.
const FOLDER: u8 = 1;
const FILE: u8 = 2;
const PART: u8 = 3;

/// Sends the other ranks a kind, the length of a path, the path, and some bytes.
fn tell(ranks: &dyn Ranks, kind: u8, path: &str, bytes: &[u8]) {
    let message = [&[kind], &(path.len() as u64).to_le_bytes()[..], path.as_bytes(), bytes].concat();
    let mut messages = vec![message; ranks.count().saturating_sub(1)];
    messages.insert(ranks.rank(), Vec::new());
    ranks.exchange(messages);
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
        if *kind == FOLDER {
            fs::create_dir_all(&path)?;
            continue;
        }
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::OpenOptions::new().create(true).append(true).open(&path)?.write_all(bytes)?;
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
        fs::write(folder.join("runs/a"), "a".repeat(PIECE as usize + 7)).unwrap();
        fs::create_dir(folder.join("weights")).unwrap();
        for written in ["weights/a", "last.safetensors", "curves.png"] {
            fs::write(folder.join(written), "never read").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(&folder, folder.join("runs/link")).unwrap();
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
                    assert_eq!(fs::read(copy.join("runs/a")).unwrap().len(), PIECE as usize + 7);
                    for empty in ["b", "weights/a", "last.safetensors", "curves.png"] {
                        assert_eq!(fs::read(copy.join(empty)).unwrap(), b"", "{empty}");
                    }
                    assert!(!copy.join("runs/link").exists());
                    fs::remove_dir_all(copy).unwrap();
                } else if copy.is_file() {
                    fs::remove_file(copy).unwrap();
                }
            }
        }
    }
}
