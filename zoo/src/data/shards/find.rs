//! The archives and Parquet files that a path stands for, and the part of the data that each holds, by their names.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::data::DataError;
use crate::data::archive::decompressed;
use crate::data::files::{Found, entries, file_name, inspect};
use crate::data::folder::kind;
use crate::signature::{self, archive};

/// Message about files of which some say their part and others do not.
pub(super) const UNNAMED: &str = "several files, of which some have train, val or test in their names and others do \
                                  not: give one of them, or name all";

/// First bytes of a Parquet file.
const PARQUET: [u8; 4] = *b"PAR1";

/// Kinds of files that hold many images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tar archives, compressed by gzip or not.
    Tar,
    /// Parquet files of labeled images.
    Parquet,
}

impl Kind {
    /// Kind of a file by its name.
    fn of(path: &Path) -> Option<Self> {
        let name = file_name(path).to_lowercase();
        if name.starts_with('.') {
            return None;
        }
        let is = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        match () {
            () if is(&[".tar", ".tar.gz", ".tgz"]) => Some(Self::Tar),
            () if is(&[".parquet"]) => Some(Self::Parquet),
            () => None,
        }
    }

    /// Kind of a file by its first bytes, those of what it unpacks to if it is compressed, or else by its name: a
    /// damaged file is recognized, too.
    fn of_contents(path: &Path) -> Option<Self> {
        let mut begin = Vec::new();
        decompressed(path).ok()?.0.take(signature::REACH).read_to_end(&mut begin).ok()?;
        match archive(&begin) {
            Some(signature::TAR) => Some(Self::Tar),
            _ if begin.starts_with(&PARQUET) => Some(Self::Parquet),
            _ => Self::of(path),
        }
    }
}

/// The part of the data that a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Test,
    Validation,
    /// The name says nothing.
    Unnamed,
}

impl Part {
    /// Place among the parts, in the order train, test, validation; `None` for a file without one.
    pub(super) fn index(self) -> Option<usize> {
        match self {
            Self::Train => Some(0),
            Self::Test => Some(1),
            Self::Validation => Some(2),
            Self::Unnamed => None,
        }
    }

    /// The part that the first word of a name that is one says: `train-00000-of-00002.parquet`, `imagenet-val-000.tar`.
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphabetic());
        let part = |word: &str| match word {
            "train" | "training" => Some(Self::Train),
            "test" | "testing" => Some(Self::Test),
            "val" | "valid" | "validation" | "dev" => Some(Self::Validation),
            _ => None,
        };
        words.filter_map(part).next().unwrap_or(Self::Unnamed)
    }
}

/// A file of the set.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) part: Part,
}

/// The files that `path` stands for, all of one kind, sorted by name: itself, or those in it or in the folders that it
/// has. `None` if there are none, or class folders beside them.
pub(super) fn shards(path: &Path) -> Result<Option<Vec<Shard>>, DataError> {
    match inspect(path)? {
        Found::File => {
            let part = Part::of(&file_name(path));
            let shard = Kind::of_contents(path).map(|kind| Shard { path: path.to_owned(), kind, part });
            return Ok(shard.map(|shard| vec![shard]));
        }
        Found::Folder => {}
        Found::Nothing | Found::Other => return Ok(None),
    }
    let is_shard = |path: &PathBuf| Kind::of(path).is_some() && path.is_file();
    let here = entries(path)?;
    let mut files: Vec<PathBuf> = here.iter().filter(|path| is_shard(path)).cloned().collect();
    let mut holders = Vec::new();
    let is_hidden = |path: &Path| file_name(path).starts_with('.') || kind::is_left_behind(path);
    for folder in here.iter().filter(|path| !is_hidden(path) && path.is_dir()) {
        // A folder that cannot be read is no obstacle.
        let within = entries(folder).unwrap_or_default();
        let is_class = |path: &PathBuf| kind::of(path) != kind::Kind::None || path.is_dir();
        if within.iter().any(is_class) {
            return Ok(None);
        }
        let found: Vec<PathBuf> = within.into_iter().filter(is_shard).collect();
        if !found.is_empty() {
            holders.push(folder);
            files.extend(found);
        }
    }
    // Folders of configurations, as Hugging Face has them; not those of parts.
    let others = holders.iter().filter(|folder| Part::of(&file_name(folder)) == Part::Unnamed).count();
    if holders.len() > 1 && others > 0 {
        let candidates = holders.into_iter().map(|folder| file_name(folder)).collect();
        return Err(DataError::Ambiguous { path: path.to_owned(), set: "a data set", candidates });
    }
    let shard = |path: PathBuf| {
        let of_folder = || path.parent().map_or(Part::Unnamed, |folder| Part::of(&file_name(folder)));
        let part = match Part::of(&file_name(&path)) {
            Part::Unnamed if holders.iter().any(|folder| path.starts_with(folder)) => of_folder(),
            part => part,
        };
        Kind::of(&path).map(|kind| Shard { path, kind, part })
    };
    let shards: Vec<Shard> = files.into_iter().filter_map(shard).collect();
    if shards.windows(2).any(|pair| pair[0].kind != pair[1].kind) {
        let found = "tar archives beside Parquet files: give the path of one of them".to_owned();
        return Err(DataError::OtherForm { path: path.to_owned(), found });
    }
    Ok((!shards.is_empty()).then_some(shards))
}
