//! Files that hold many images with labels, of which a data set has one or several: tar archives of class folders,
//! those of WebDataset, and Parquet files. The names of the files say which part of the data they hold.

mod find;
pub(super) mod known;
mod packed;
mod samples;

use std::path::{Path, PathBuf};

use self::find::{Kind, Part, Shard};
use self::packed::Packed;
use super::folder::place::ImageFile;
use super::folder::tree::Disk;
use super::folder::{self, FOLDERS, FolderParts, ImageFolder};
use super::{DataError, parquet};
use crate::text;

/// Form of tar archives of class folders.
const PACKED: &str = "tar archive of class folders";
/// Form of tar archives of WebDataset.
const SAMPLES: &str = "tar archives of WebDataset";
/// Form of Parquet files.
const PARQUET: &str = "Parquet files of Hugging Face";

/// Images of one part of a set, and what is known of its classes.
struct Read {
    path: PathBuf,
    files: Vec<(ImageFile, u16)>,
    /// Names of the classes; `None` if they only have numbers.
    names: Option<Vec<String>>,
}

impl FolderParts {
    /// Reads the names in `dir`: class folders, or parts with class folders in them, in either case of letters:
    ///
    /// | folder | images |
    /// |---|---|
    /// | `train`, `training` | to learn from |
    /// | `test`, `testing` | to measure with |
    /// | `val`, `valid`, `validation`, `dev` | to measure with where there are none to test on, else not used |
    ///
    /// That a part is not used is a line in [`ImageFolder::warnings`]. Parts are recognized by there being no other
    /// folder, so a class may be called `train`.
    ///
    /// In place of such a folder, `dir` may be one of these, or a folder of several of them (or of folders with them),
    /// whose names say `train`, `test` or `validation` as those of the folders above do:
    ///
    /// | file | contents |
    /// |---|---|
    /// | `.tar`, `.tar.gz` | class folders, or parts with class folders, packed as they are |
    /// | the same, of WebDataset | `KEY.jpg` and the number of its class, in `KEY.cls` or as `label` in `KEY.json` |
    /// | `.parquet`, of Hugging Face | the columns `image`, `img` or `images`, and `label`, `fine_label` or `labels` |
    ///
    /// An archive of class folders whose images have a `KEY.json` with a number as `label` beside them is of
    /// WebDataset: the numbers are the classes. A hard link in an archive is the file that it is another name of.
    ///
    /// Nothing is unpacked to the disk. Images in a plain archive and uncompressed ones in a Parquet file are read when
    /// they are used. Archives that are compressed are kept in memory as a whole, at most 64 times their size and
    /// 4 GiB; of compressed columns the images are, at most 16 times the size of their file and 4 GiB.
    ///
    /// # Errors
    ///
    /// As [`ImageFolder::open`]; [`DataError::TwoParts`] if two folders are the same part; [`DataError::Classes`] if
    /// the classes of the parts differ; [`DataError::Contents`], with the entry or the row, for what is wrong in an
    /// archive or a Parquet file; [`DataError::OtherForm`] for one that is not read here.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        let dir = dir.as_ref();
        match open(dir)? {
            Some(parts) => Ok(parts),
            None => Self::of_tree(&Disk, dir, FOLDERS),
        }
    }
}

/// The images that a path holds in archives or Parquet files; `None` if it is neither such a file nor a folder of them.
fn open(path: &Path) -> Result<Option<FolderParts>, DataError> {
    let Some(shards) = find::shards(path)? else { return Ok(None) };
    match shards.first().map(|shard| shard.kind) {
        Some(Kind::Parquet) => Ok(Some(of_tables(path, &shards)?.0)),
        Some(Kind::Tar) => of_archives(path, &shards),
        None => Ok(None),
    }
}

/// The parts in archives; `None` for a single one that is given itself and has no image by its names.
fn of_archives(path: &Path, shards: &[Shard]) -> Result<Option<FolderParts>, DataError> {
    let mut parts: Vec<(Part, FolderParts)> = Vec::new();
    let mut of_samples: Vec<(Part, Read)> = Vec::new();
    for Shard { path: file, part, .. } in shards {
        let packed = Packed::open(file)?;
        if let Some(files) = samples::read(&packed, file)? {
            of_samples.push((*part, Read { path: file.clone(), files, names: None }));
        } else if shards.len() == 1 && file == path && !packed.has_images() {
            return Ok(None);
        } else {
            let top = packed.top(|folder| folder::is_divided(&packed, folder));
            parts.push((*part, FolderParts::of_tree(&packed, &top, PACKED)?));
        }
    }
    if parts.is_empty() {
        return of_reads(path, SAMPLES, of_samples).map(Some);
    }
    let other_form = |found: &str| DataError::OtherForm { path: path.to_owned(), found: found.to_owned() };
    if !of_samples.is_empty() {
        return Err(other_form("archives of class folders beside others of WebDataset: give one of them"));
    }
    // A single one may be divided itself.
    if let [(Part::Unnamed, _)] | [(_, FolderParts::Divided { .. } | FolderParts::Train(_) | FolderParts::Test(_))] =
        &parts[..]
    {
        return Ok(parts.pop().map(|(_, parts)| parts));
    }
    let mut by_part: [Option<ImageFolder>; 3] = [None, None, None];
    for (part, found) in parts {
        let at = part.index().ok_or_else(|| other_form(find::UNNAMED))?;
        let (FolderParts::Whole(folder) | FolderParts::Train(folder) | FolderParts::Test(folder)) = found else {
            return Err(other_form("several archives, one of which is divided itself: give that one"));
        };
        if let Some(first) = by_part[at].replace(folder) {
            let found = [first.path(), by_part[at].as_ref().map_or(path, ImageFolder::path)];
            let found = found.map(|path| text::path(path).to_string()).to_vec();
            return Err(DataError::TwoParts { path: path.to_owned(), found });
        }
    }
    of_three(path, by_part).map(Some)
}

/// The parts in Parquet files, and whether these name the classes.
fn of_tables(path: &Path, shards: &[Shard]) -> Result<(FolderParts, bool), DataError> {
    let read = |Shard { path, part, .. }: &Shard| {
        let (files, names) = parquet::read(path)?;
        Ok((*part, Read { path: path.clone(), files, names }))
    };
    let reads = shards.iter().map(read).collect::<Result<Vec<_>, DataError>>()?;
    let is_named = reads.iter().any(|(_, read)| read.names.is_some());
    Ok((of_reads(path, PARQUET, reads)?, is_named))
}

/// Joins the files of each part.
fn of_reads(path: &Path, form: &'static str, reads: Vec<(Part, Read)>) -> Result<FolderParts, DataError> {
    let classes = classes(&reads)?;
    let mut by_part: [Option<ImageFolder>; 3] = [None, None, None];
    let mut unnamed: Option<ImageFolder> = None;
    let is_alone = reads.len() == 1;
    for (part, read) in reads {
        let into = match part.index() {
            Some(at) => &mut by_part[at],
            None => &mut unnamed,
        };
        let path = if is_alone { &read.path } else { path };
        let empty = || ImageFolder {
            form,
            path: path.to_owned(),
            classes: classes.clone(),
            files: Vec::new(),
            warnings: Vec::new(),
        };
        into.get_or_insert_with(empty).files.extend(read.files);
    }
    match unnamed {
        None => of_three(path, by_part),
        Some(whole) if by_part.iter().all(Option::is_none) => Ok(FolderParts::Whole(whole)),
        Some(_) => Err(DataError::OtherForm { path: path.to_owned(), found: find::UNNAMED.to_owned() }),
    }
}

/// Images to train on, to test on and to validate with.
fn of_three(path: &Path, parts: [Option<ImageFolder>; 3]) -> Result<FolderParts, DataError> {
    let [train, test, validation] = parts;
    let is_unused = test.is_some() && validation.is_some();
    let mut test = test.or(validation);
    if let Some(test) = test.as_mut().filter(|_| is_unused) {
        test.warnings.push(format!(
            "{}: the files to validate with are not used, since those to test on are what is measured with",
            text::path(path)
        ));
    }
    let nothing = || DataError::EmptyFolder { path: path.to_owned(), expected: "images" };
    FolderParts::of_parts(train, test)?.ok_or_else(nothing)
}

/// Names of the classes: those that all files give, else the numbers up to the largest label. A label is below the
/// number of its own file's names, so that it has one of these.
fn classes(reads: &[(Part, Read)]) -> Result<Vec<String>, DataError> {
    let labels = reads.iter().flat_map(|(_, read)| &read.files).map(|(_, label)| usize::from(*label));
    let count = labels.max().map_or(0, |most| most + 1);
    let named = reads.iter().find_map(|(_, read)| Some((&read.path, read.names.as_ref()?)));
    let Some((first, names)) = named else { return Ok((0..count).map(|class| class.to_string()).collect()) };
    for (_, Read { path, names: others, .. }) in reads {
        let wrong = |order: &str, found: &str| {
            let expected = format!("those that {} has{order}", text::path(first));
            DataError::contents(path, "names of the classes", expected, found)
        };
        match others {
            None => return Err(wrong("", "none")),
            Some(others) if others != names => {
                let (mut a, mut b) = (names.clone(), others.clone());
                a.sort();
                b.sort();
                return Err(match a == b {
                    true => wrong(", in their order", "another order"),
                    false => folder::other_classes(path, names, others),
                });
            }
            Some(_) => {}
        }
    }
    Ok(names.clone())
}

#[cfg(test)]
mod tests;
