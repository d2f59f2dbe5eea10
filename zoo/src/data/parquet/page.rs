//! Pages of a column: their headers, and what they unpack to.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::compact::{Compact, STRUCT};
use super::fault::Fault;
use crate::data::folder::place::{Container, Part};
use crate::text;

/// Compressions of pages that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Snappy,
    Gzip,
}

/// Encodings of values that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// Places in the dictionary, in runs.
    Dictionary,
}

impl Encoding {
    /// Code of levels, and of places in a dictionary, in runs.
    const RUNS: usize = 3;

    /// The encoding of a code, of which the names are those of the format.
    fn of(code: usize) -> Result<Self, Fault> {
        const NAMES: [(usize, &str); 5] = [
            (3, "RLE"),
            (5, "DELTA_BINARY_PACKED"),
            (6, "DELTA_LENGTH_BYTE_ARRAY"),
            (7, "DELTA_BYTE_ARRAY"),
            (9, "BYTE_STREAM_SPLIT"),
        ];
        match code {
            0 => Ok(Self::Plain),
            2 | 8 => Ok(Self::Dictionary),
            code => {
                let name = NAMES.iter().find(|(known, _)| *known == code).map_or("an unknown one", |(_, name)| name);
                Err(Fault::damaged(format!("values in the encoding {name}: save the file with PLAIN or a dictionary")))
            }
        }
    }
}

/// Levels of a data page: the number of their bytes, or `None` if that is written before them.
type Levels = Option<usize>;

/// The kinds of pages that there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Dictionary,
    /// With the bytes of the levels of repetition and of definition.
    Data(Encoding, [Levels; 2]),
    /// A kind that holds no values.
    Other,
}

/// A page: its kind, how many values it has, and its bytes.
pub(super) struct Page<'a> {
    pub(super) kind: Kind,
    pub(super) values: usize,
    pub(super) body: Body<'a>,
}

/// The bytes of a page, which are read from front to back.
pub(super) struct Body<'a> {
    reader: BufReader<Source<'a>>,
    of: Arc<Container>,
    at: u64,
    pub(super) left: u64,
}

enum Source<'a> {
    /// The open file, at the position of the page.
    File(&'a File),
    Memory(Arc<Container>, u64),
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(container, at) => {
                let bytes = container.unpacked.as_deref().unwrap_or_default();
                let mut rest = usize::try_from(*at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let count = rest.read(buffer)?;
                *at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(_, at) => {
                *at = match to {
                    SeekFrom::Start(to) => to,
                    SeekFrom::Current(by) => at.saturating_add_signed(by),
                    SeekFrom::End(_) => return Err(ErrorKind::Unsupported.into()),
                };
                Ok(*at)
            }
        }
    }
}

impl Body<'_> {
    /// Reads the next `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Result<Vec<u8>, Fault> {
        let count = self.advance(len)?;
        let mut bytes = Vec::new();
        (&mut self.reader).take(count).read_to_end(&mut bytes)?;
        if bytes.len() == len { Ok(bytes) } else { Err(io::Error::from(ErrorKind::UnexpectedEof).into()) }
    }

    /// Reads an integer of `N` bytes, the lowest one first.
    pub(super) fn integer<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.advance(N)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `len` bytes, and says where they are.
    pub(super) fn part(&mut self, len: usize) -> Result<Part, Fault> {
        let at = self.at;
        let len = self.advance(len)?;
        self.reader.seek_relative(i64::try_from(len).unwrap_or(i64::MAX))?;
        Ok(Part { of: Arc::clone(&self.of), at, len })
    }

    /// The number of bytes that are kept in memory for as long as a part of them is; `None` for those of a file.
    pub(super) fn in_memory(&self) -> Option<usize> {
        self.of.unpacked.as_ref().map(Vec::len)
    }

    fn advance(&mut self, len: usize) -> Result<u64, Fault> {
        let len = len as u64;
        self.left = self.left.checked_sub(len).ok_or_else(|| Fault::damaged("values that go on after its end"))?;
        self.at += len;
        Ok(len)
    }
}

/// The pages of a column of a group of rows. One is read at a time, since all move the position of one open file.
pub(super) struct Pages<'a> {
    file: &'a File,
    of: Arc<Container>,
    codec: Codec,
    at: u64,
    left: u64,
    limit: usize,
}

impl<'a> Pages<'a> {
    /// The pages in `left` bytes from byte `at` on of the file of a container, of which each may unpack to `limit`
    /// bytes.
    pub(super) fn new((file, of): (&'a File, Arc<Container>), codec: Codec, at: u64, left: u64, limit: usize) -> Self {
        Self { file, of, codec, at, left, limit }
    }

    /// The next page, with values or without; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Page<'_>>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut file = self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let mut reader = BufReader::new(Source::File(file));
        let mut limited = (&mut reader).take(self.left);
        let header = Header::read(&mut Compact(&mut limited))?;
        let taken = self.left - limited.limit();
        let len = header.packed as u64;
        self.left =
            (self.left - taken).checked_sub(len).ok_or_else(|| Fault::damaged("a page that goes on after its end"))?;
        let at = self.at + taken;
        self.at = at + len;
        let (kind, values, levels, is_packed) = header.kind()?;
        let mut body = Body { reader, of: Arc::clone(&self.of), at, left: len };
        if is_packed && self.codec != Codec::None && !matches!(kind, Kind::Other) {
            let plain = body.bytes(levels)?;
            let packed = body.bytes(header.packed - plain.len())?;
            if header.unpacked > self.limit {
                let (found, limit) = (header.unpacked, self.limit);
                return Err(Fault::damaged(format!("a page that unpacks to {found} bytes, more than {limit}")));
            }
            let bytes = unpack(self.codec, plain, &packed, header.unpacked)?;
            let left = bytes.len() as u64;
            let of = Arc::new(Container { path: self.of.path.clone(), unpacked: Some(bytes) });
            let reader = BufReader::new(Source::Memory(Arc::clone(&of), 0));
            body = Body { reader, of, at: 0, left };
        }
        Ok(Some(Page { kind, values, body }))
    }
}

/// Fields of a page's header.
#[derive(Default)]
struct Header {
    kind: usize,
    unpacked: usize,
    packed: usize,
    data: Option<Data>,
    dictionary: Option<Data>,
}

/// Fields of the header of a page of a kind.
#[derive(Default)]
struct Data {
    values: usize,
    encoding: usize,
    /// Encoding of the levels, where they are encoded in several ways.
    levels: usize,
    /// Bytes of the levels of repetition and of definition, where the header says that.
    of_levels: Option<[usize; 2]>,
    is_packed: bool,
}

impl Header {
    fn read<R: Read>(input: &mut Compact<R>) -> Result<Self, Fault> {
        let mut header = Self::default();
        input.fields(&mut |input, id, kind| {
            match (id, kind) {
                (1, _) => header.kind = input.count(kind)?,
                (2, _) => header.unpacked = input.count(kind)?,
                (3, _) => header.packed = input.count(kind)?,
                (5, STRUCT) => {
                    let mut data = Data { is_packed: true, ..Data::default() };
                    input.fields(&mut |input, id, kind| {
                        match id {
                            1 => data.values = input.count(kind)?,
                            2 => data.encoding = input.count(kind)?,
                            3 => data.levels = input.count(kind)?,
                            _ => return Ok(false),
                        }
                        Ok(true)
                    })?;
                    header.data = Some(data);
                }
                (7, STRUCT) => {
                    let mut data = Data { is_packed: true, ..Data::default() };
                    input.fields(&mut |input, id, kind| {
                        match id {
                            1 => data.values = input.count(kind)?,
                            2 => data.encoding = input.count(kind)?,
                            _ => return Ok(false),
                        }
                        Ok(true)
                    })?;
                    header.dictionary = Some(data);
                }
                (8, STRUCT) => {
                    let mut levels = [0; 2];
                    let mut data = Data { is_packed: true, levels: Encoding::RUNS, ..Data::default() };
                    input.fields(&mut |input, id, kind| {
                        match id {
                            1 => data.values = input.count(kind)?,
                            4 => data.encoding = input.count(kind)?,
                            5 => levels[1] = input.count(kind)?,
                            6 => levels[0] = input.count(kind)?,
                            7 => data.is_packed = Compact::<R>::is_true(kind)?,
                            _ => return Ok(false),
                        }
                        Ok(true)
                    })?;
                    data.of_levels = Some(levels);
                    header.data = Some(data);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(header)
    }

    /// Kind and number of values, the number of bytes at the beginning that are never compressed, and whether the rest
    /// is.
    fn kind(&self) -> Result<(Kind, usize, usize, bool), Fault> {
        let (data, is_dictionary) = match self.kind {
            0 | 3 => (&self.data, false),
            2 => (&self.dictionary, true),
            _ => return Ok((Kind::Other, 0, 0, false)),
        };
        let data = data.as_ref().ok_or_else(|| Fault::damaged("a page without a description of its values"))?;
        let encoding = Encoding::of(data.encoding)?;
        if is_dictionary {
            return Ok((Kind::Dictionary, data.values, 0, true));
        }
        if data.levels != Encoding::RUNS {
            return Err(Fault::damaged("levels in another encoding than RLE: save the file again"));
        }
        let levels = data.of_levels.map_or([None; 2], |levels| levels.map(Some));
        let plain = levels.into_iter().flatten().fold(0, usize::saturating_add);
        Ok((Kind::Data(encoding, levels), data.values, plain, data.is_packed))
    }
}

/// The bytes of a page of which `plain` is not compressed and `packed` is; together they are `expected`.
fn unpack(codec: Codec, mut plain: Vec<u8>, packed: &[u8], expected: usize) -> Result<Vec<u8>, Fault> {
    let wrong = |found: String| Fault::damaged(format!("a page that cannot be unpacked: {found}"));
    let other_length = || wrong(format!("it does not have the {expected} bytes that its header says"));
    let rest = expected.checked_sub(plain.len()).ok_or_else(other_length)?;
    if rest == 0 && packed.is_empty() {
        return Ok(plain);
    }
    match codec {
        Codec::None => plain.extend_from_slice(packed),
        Codec::Snappy => {
            let len = snap::raw::decompress_len(packed).map_err(|error| wrong(error.to_string()))?;
            if len != rest {
                return Err(other_length());
            }
            let start = plain.len();
            plain.resize(expected, 0);
            let unpacked = snap::raw::Decoder::new().decompress(packed, &mut plain[start..]);
            unpacked.map_err(|error| wrong(error.to_string()))?;
        }
        Codec::Gzip => {
            let mut reader = MultiGzDecoder::new(packed).take(rest as u64 + 1);
            reader.read_to_end(&mut plain).map_err(|error| wrong(text::system(&error)))?;
        }
    }
    if plain.len() == expected { Ok(plain) } else { Err(other_length()) }
}
