//! Tar archives as trees of folders: an index of names and positions, made in one pass.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar::Archive;

use crate::data::DataError;
use crate::data::archive::{damaged, decompressed};
use crate::data::files::Found;
use crate::data::folder::kind;
use crate::data::folder::list::MAX_IMAGES;
use crate::data::folder::place::{Container, ImageFile, Part};
use crate::data::folder::tree::Tree;
use crate::text;

/// Bytes of a block, of which headers and contents take whole numbers.
const BLOCK: u64 = 512;

/// Maximum number of folders above a file.
const DEPTH: usize = 16;

/// Maximum number of folders. Each is in memory with its whole path, of at most [`NAME`] bytes behind that of the
/// archive: about 1 GiB for all, in the worst archive.
const FOLDERS: usize = 1 << 18;

/// Maximum number of bytes of a name with those of the folders above.
const NAME: usize = 4096;

/// Bytes that a compressed archive may unpack to, at most.
const UNPACKED: u64 = 1 << 32;

/// Bytes that a compressed archive may unpack to for each of its own. Files of images hardly shrink.
const EXPANSION: u64 = 64;

/// Bytes that any archive may unpack to, however small it is.
const ANY: u64 = 1 << 20;

/// Description of what is neither a file nor a folder.
pub(super) const NOT_READ: &str = "a link or a file with holes, which are not read in an archive";

/// An entry of a folder in an archive.
enum Node {
    Folder,
    File {
        at: u64,
        len: u64,
    },
    /// A hard link to a file of this name before it, until [`resolved`] has found that.
    Link(String),
    /// A symbolic link, a hard link to no file of the archive, a file with holes, a device or the like.
    Other,
}

/// The names in a tar archive, each with the position of its contents. Names that begin with a dot are left out.
pub(super) struct Packed {
    path: PathBuf,
    contents: Arc<Container>,
    /// For the path of every folder, with the archive's before it, its entries.
    folders: BTreeMap<PathBuf, BTreeMap<String, Node>>,
}

impl Packed {
    /// Reads the headers of an archive, of a compressed one all of it. Nothing is written anywhere.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.to_owned(), source };
        let (reader, is_compressed) = decompressed(path)?;
        let (unpacked, entries) = if is_compressed {
            let bytes = unpacked(path, reader)?;
            let entries = index(path, Cursor::new(&bytes), bytes.len() as u64)?;
            (Some(bytes), entries)
        } else {
            let file = File::open(path).map_err(io)?;
            let len = file.metadata().map_err(io)?.len();
            (None, index(path, BufReader::new(file), len)?)
        };
        let contents = Arc::new(Container { path: path.to_owned(), unpacked });
        let mut packed = Self { path: path.to_owned(), contents, folders: BTreeMap::new() };
        packed.folders.insert(path.to_owned(), BTreeMap::new());
        for (name, node) in resolved(entries) {
            packed.add(&name, node)?;
        }
        Ok(packed)
    }

    fn add(&mut self, name: &str, node: Node) -> Result<(), DataError> {
        let wrong =
            |expected: &str| Err(DataError::contents(&self.path, "name in the archive", expected, text::shown(name)));
        let parts: Vec<&str> = parts(name).collect();
        if parts.contains(&"..") {
            return wrong("one that stays in its folder");
        }
        if name.len() > NAME || parts.len() > DEPTH + 1 {
            return wrong(&format!("at most {NAME} bytes, and {DEPTH} folders above a file"));
        }
        if parts.iter().any(|part| part.starts_with('.')) {
            return Ok(());
        }
        let Some((last, above)) = parts.split_last() else { return Ok(()) };
        let mut folder = self.path.clone();
        for part in above {
            let entries = self.folders.entry(folder.clone()).or_default();
            if !matches!(entries.entry((*part).to_owned()).or_insert(Node::Folder), Node::Folder) {
                return wrong("a folder above it");
            }
            folder.push(part);
        }
        if self.folders.len() >= FOLDERS {
            return Err(DataError::contents(&self.path, "archive", format!("fewer than {FOLDERS} folders"), "more"));
        }
        let is_folder = matches!(node, Node::Folder);
        let entries = self.folders.entry(folder.clone()).or_default();
        match entries.get(*last) {
            Some(Node::Folder) if is_folder => return Ok(()),
            Some(_) => return wrong("one entry of each name, found another one"),
            None => entries.insert((*last).to_owned(), node),
        };
        if is_folder {
            self.folders.entry(folder.join(last)).or_default();
        }
        Ok(())
    }

    /// The folder that all others are in: archives are often made of one folder.
    pub(super) fn top(&self, is_divided: impl Fn(&Path) -> bool) -> PathBuf {
        let mut top = self.path.clone();
        while !is_divided(&top) {
            let entries: Vec<PathBuf> = self.entries(&top).unwrap_or_default();
            let has_image = |entries: &[PathBuf]| entries.iter().any(|path| kind::of(path) != kind::Kind::None);
            let is_folder = |path: &&PathBuf| self.is_folder(path) && !kind::is_left_behind(path);
            let folders: Vec<&PathBuf> = entries.iter().filter(is_folder).collect();
            let [folder] = folders[..] else { break };
            let within = self.entries(folder).unwrap_or_default();
            if has_image(&entries) || has_image(&within) || !within.iter().any(|path| self.is_folder(path)) {
                break;
            }
            top.clone_from(folder);
        }
        top
    }

    /// Returns `true` if a file is an image by its name, of a format that is read or another.
    pub(super) fn has_images(&self) -> bool {
        let is_image = |path: &Path| kind::of(path) != kind::Kind::None;
        self.files().any(|(path, _)| is_image(&path)) || self.others().any(|path| is_image(&path))
    }

    /// All files, by folders: the path of each, and the bytes.
    pub(super) fn files(&self) -> impl Iterator<Item = (PathBuf, Part)> {
        let of_folder = |(folder, entries): (&'_ PathBuf, &'_ BTreeMap<String, Node>)| {
            let file = |(name, node): (&String, &Node)| Some((folder.join(name), self.part(node)?));
            entries.iter().filter_map(file).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(of_folder)
    }

    /// The paths of what is neither a file nor a folder, by folders.
    pub(super) fn others(&self) -> impl Iterator<Item = PathBuf> {
        let of_folder = |(folder, entries): (&'_ PathBuf, &'_ BTreeMap<String, Node>)| {
            let other = |(name, node): (&String, &Node)| matches!(node, Node::Other).then(|| folder.join(name));
            entries.iter().filter_map(other).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(of_folder)
    }

    fn node(&self, path: &Path) -> Option<&Node> {
        self.folders.get(path.parent()?)?.get(path.file_name()?.to_str()?)
    }

    fn part(&self, node: &Node) -> Option<Part> {
        match *node {
            Node::File { at, len } => Some(Part { of: Arc::clone(&self.contents), at, len }),
            Node::Folder | Node::Link(_) | Node::Other => None,
        }
    }
}

impl Tree for Packed {
    fn entries(&self, dir: &Path) -> Result<Vec<PathBuf>, DataError> {
        let entries = self.folders.get(dir).ok_or_else(|| DataError::MissingFolder { path: dir.to_owned() })?;
        Ok(entries.keys().map(|name| dir.join(name)).collect())
    }

    fn inspect(&self, path: &Path) -> Result<Found, DataError> {
        Ok(match self.node(path) {
            Some(Node::File { .. }) => Found::File,
            Some(Node::Folder) => Found::Folder,
            None if path == self.path => Found::Folder,
            Some(Node::Link(_) | Node::Other) | None => Found::Nothing,
        })
    }

    fn nowhere(&self) -> &'static str {
        NOT_READ
    }

    fn file(&self, path: PathBuf) -> ImageFile {
        let part = self.node(&path).and_then(|node| self.part(node));
        ImageFile { path, part }
    }
}

/// The parts of a name in an archive.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// The same entries with the places of the files in place of hard links to them. An archiver that meets a file under a
/// second name writes such a link; the file comes before it.
fn resolved(mut entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    let normal = |name: &str| parts(name).collect::<Vec<_>>().join("/");
    let target = |(_, node): &(String, Node)| match node {
        Node::Link(target) => Some((normal(target), None)),
        _ => None,
    };
    let mut places: HashMap<String, Option<(u64, u64)>> = entries.iter().filter_map(target).collect();
    if places.is_empty() {
        return entries;
    }
    for (name, node) in &mut entries {
        if let Node::Link(target) = node {
            let place = places.get(&normal(target)).copied().flatten();
            *node = place.map_or(Node::Other, |(at, len)| Node::File { at, len });
        }
        if let Node::File { at, len } = *node
            && let Some(place) = places.get_mut(&normal(name))
        {
            *place = Some((at, len));
        }
    }
    entries
}

/// The bytes of a compressed archive.
fn unpacked(path: &Path, reader: Box<dyn Read>) -> Result<Vec<u8>, DataError> {
    let len = path.metadata().map_err(|source| DataError::Io { path: path.to_owned(), source })?.len();
    let limit = len.saturating_mul(EXPANSION).saturating_add(ANY).min(UNPACKED);
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| damaged(path, &error))?;
    if bytes.len() as u64 > limit {
        let expected = format!("at most {limit} bytes when it is unpacked; unpack it (gunzip)");
        return Err(DataError::contents(path, "archive", expected, "more"));
    }
    Ok(bytes)
}

/// Names and places of the entries of an archive of `total` bytes.
fn index(path: &Path, reader: impl Read + Seek, total: u64) -> Result<Vec<(String, Node)>, DataError> {
    let mut archive = Archive::new(reader);
    let (mut found, mut end) = (Vec::new(), 0);
    for entry in archive.entries_with_seek().map_err(|error| damaged(path, &error))? {
        let entry = entry.map_err(|error| damaged(path, &error))?;
        let kind = entry.header().entry_type();
        let (at, len) = (entry.raw_file_position(), entry.size());
        let name = String::from_utf8(entry.path_bytes().into_owned());
        if !kind.is_gnu_sparse() {
            end = len.checked_next_multiple_of(BLOCK).and_then(|len| at.checked_add(len)).unwrap_or(u64::MAX);
        }
        let is_file = kind.is_file() || kind.is_contiguous();
        if end > total {
            let expected = format!("{len} bytes from byte {at} on: download the archive again");
            let name = name.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            let name = path.join(text::shown(&name).to_string());
            return Err(DataError::contents(&name, "archive", expected, format!("its end at {total}")));
        }
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = name.map_err(|error| {
            let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let expected = "UTF-8: pack the files again under other names";
            DataError::contents(path, "name in the archive", expected, text::shown(&name))
        })?;
        if found.len() as u64 >= MAX_IMAGES {
            let (what, images) = (text::path(path).to_string(), MAX_IMAGES + 1);
            return Err(DataError::TooMany { what, images, limit: MAX_IMAGES });
        }
        // Archivers of old say that an entry is a folder by the end of its name.
        let node = match is_file && !name.ends_with('/') {
            true => Node::File { at, len },
            false if kind.is_dir() || is_file => Node::Folder,
            false if kind.is_hard_link() => {
                let target = entry.link_name_bytes().unwrap_or_default();
                Node::Link(String::from_utf8_lossy(&target).into_owned())
            }
            false => Node::Other,
        };
        found.push((name, node));
    }
    // An archive ends with blocks of zeros; one that was cut between two files would lack the rest of them silently.
    if total - end < BLOCK {
        return Err(DataError::contents(path, "archive", "a whole one: download it again", "no mark at its end"));
    }
    // Behind the mark, another archive may have been joined, which would not be read.
    if !is_zero(archive.into_inner()).map_err(|error| damaged(path, &error))? {
        let expected = "nothing behind the mark at its end: unpack joined archives (tar --ignore-zeros)";
        return Err(DataError::contents(path, "archive", expected, "more"));
    }
    Ok(found)
}

/// Returns `true` if all that is left to read are zeros.
fn is_zero(mut rest: impl Read) -> io::Result<bool> {
    let mut bytes = [0; 1 << 13];
    loop {
        match rest.read(&mut bytes) {
            Ok(0) => return Ok(true),
            Ok(count) if bytes[..count].iter().any(|byte| *byte != 0) => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}
