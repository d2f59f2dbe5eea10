//! The tests that the fuzz targets make of their inputs. `cargo test` makes the same of the files in `corpus/`.

// Each program that includes this uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use peak_alloc::PeakAlloc;
use pvlu_zoo::checkpoint::{FrozenState, Tuning, TuningError, describe};
use pvlu_zoo::image::{Image, Preprocessing};
use pvlu_zoo::model::Model;
use pvlu_zoo::published::{Name, timm_preprocessing};
use pvlu_zoo::registry::{self, Options, Start};
use pvlu_zoo::weights::{Configuration, Dtype, Source, TensorFile};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Elements of a tensor that is read; above it only the check is done, which needs no room for them.
const ELEMENTS: usize = 1 << 20;

/// Bytes of a message at most. What it quotes of a file is cut.
pub const MESSAGE: usize = 10_000;

/// Bytes that an open file of `len` bytes may keep, and opening it may take: room for what it says of its tensors.
pub fn described(len: usize) -> usize {
    (64 << 10) + 64 * len
}

/// As [`described`], for a file of torch: a byte of a pickle can make an object, and the crate zip sets aside some 200
/// bytes for each entry that a directory says it has, of which it believes as many as there are bytes before it.
pub fn described_by_torch(len: usize) -> usize {
    (64 << 10) + 256 * len
}

/// As [`described`], for an archive of Keras, with what reading the configuration in it takes.
pub fn described_by_keras(len: usize) -> usize {
    described(len) + 192 * len
}

/// Bytes that hdf5-reader may set aside for a moment on top of that, untouched: room for as many parts as a type says
/// it has (65,535 of 72 bytes, in 33 levels) or an object header (65,535 of 240 bytes, and those of one that it refers
/// to).
const SET_ASIDE: usize = 192 << 20;

/// Opens `bytes`, checks and reads every tensor. For any bytes, nothing panics, no message breaks its line or is
/// endless, no more memory is taken than `bytes` justify, and what the check found readable is.
pub fn read(bytes: &[u8]) {
    let len = bytes.len();
    // HDF5 leaves its first bytes to a user, who may put the beginning of an archive there.
    let is_hdf5 = |at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\x89HDF\r\n\x1a\n"));
    let by_hdf5 = std::iter::successors(Some(512), |at| Some(at * 2)).take_while(|at| *at < len).any(is_hdf5);
    let by_torch = bytes.starts_with(b"PK") || bytes.first() == Some(&0x80) || bytes.get(257..262) == Some(b"ustar");
    // HDF5 in an archive.
    let by_keras = by_torch && bytes.windows(16).any(|part| part == b"model.weights.h5");
    let set_aside = if (by_torch && !by_keras && !by_hdf5) || bytes.get(8) == Some(&b'{') { 0 } else { SET_ASIDE };
    let described = match (by_keras, by_torch) {
        (true, _) => described_by_keras,
        (false, true) => described_by_torch,
        (false, false) => described,
    };

    let shared: Arc<[u8]> = bytes.into();
    let (file, memory) = measured(|| TensorFile::from_bytes("input", shared));
    assert!(memory.peak <= described(len) + set_aside, "{} bytes to open {len}", memory.peak);
    assert!(memory.kept <= described(len), "{} bytes kept of {len}", memory.kept);
    let file = match file {
        Ok(file) => file,
        Err(error) => return assert_readable(&error.to_string()),
    };

    // A piece and its values, or a chunk and what it is decoded by way of. Deflate packs at most 1,032 bytes into one.
    let decoded = 4 * TensorFile::MAX_CHUNK.min(1032 * len);
    let (checked, memory) = measured(|| file.verify::<f32>());
    assert!(memory.peak <= described(len) + decoded + set_aside, "{} bytes to check {len}", memory.peak);
    if let Err(error) = &checked {
        assert_readable(&error.to_string());
    }

    for (name, entry) in file.entries() {
        let count = entry.shape.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        let Some(count) = count.filter(|count| *count <= ELEMENTS) else { continue };
        let is_float = !matches!(entry.dtype, Dtype::I64 | Dtype::Other(_));
        match file.read_into(name, &mut vec![0_f64; count]) {
            Ok(()) => assert!(is_float, "{name}: {} was read", entry.dtype),
            Err(error) => {
                assert_readable(&error.to_string());
                assert!(checked.is_err() || !is_float, "checked, and then: {error}");
            }
        }
    }
}

/// Reads `input` as a file and as the header of a file, so that no mutation has to guess a length.
pub fn safetensors(input: &[u8]) {
    read(input);
    let mut framed = (input.len() as u64).to_le_bytes().to_vec();
    framed.extend_from_slice(input);
    framed.extend_from_slice(&[0x3c; 64]);
    read(&framed);
}

/// The beginning of a stream of torch before 1.6: three pickles, a number, the version, and sizes of numbers.
pub const STREAM: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// Reads `input` as a file and as the pickle of a stream of torch without storages.
pub fn torch(input: &[u8]) {
    read(input);
    read(&[STREAM, input, b"]."].concat());
}

/// Pixels of an image that is decoded; a larger one is refused by its size.
const PIXELS: usize = 1 << 16;

/// Bytes that decoding an image of so many pixels in a file of `len` bytes may take: what
/// [`decode_within`](Image::decode_within) states, and tables of a fixed size. libjpeg's are not among those that are
/// counted: the limit of the whole process stands over them. image-webp 0.2.4 sets aside room for the first partition
/// of a lossy file that is longer than the file, by its length of 24 bits, before it reads it.
fn decoded(bytes: &[u8]) -> usize {
    let partition = if bytes.starts_with(b"RIFF") { 1 << 24 } else { 0 };
    (1 << 20) + 64 * (PIXELS + bytes.len()) + partition
}

/// Decodes `bytes`. For any bytes, nothing panics, no message breaks its line or is endless, and no more memory is
/// taken than is stated.
pub fn image(bytes: &[u8]) {
    let (image, memory) = measured(|| Image::decode_within("input", bytes, PIXELS));
    assert!(memory.peak <= decoded(bytes), "{} bytes to decode {}", memory.peak, bytes.len());
    match image {
        Ok(image) => {
            let area = image.width() * image.height();
            assert!((1..=PIXELS).contains(&area) && image.pixels().len() == 3 * area, "{area} pixels");
        }
        Err(error) => assert_readable(&error.to_string()),
    }
}

/// Takes `input` for timm's `config.json` and for a name of published weights.
pub fn published(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (read, memory) = measured(|| timm_preprocessing(text, &["resnet50"]));
    assert!(memory.peak <= (64 << 10) + 192 * input.len(), "{} bytes to read {}", memory.peak, input.len());
    match read {
        Ok(Some(preprocessing)) => assert_eq!(preprocessing.to_string().parse(), Ok(preprocessing)),
        Ok(None) => {}
        Err(error) => assert_readable(&error.to_string()),
    }
    match Name::parse(text) {
        Ok(Some(Name::Hub(repository))) => {
            assert!(!repository.folder_name().contains(['/', '\\']), "{repository}");
            let refs = Path::new("refs");
            let within = |path: PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
            assert!(repository.reference(Path::new("")).is_none_or(|path| path.starts_with(refs) && within(path)));
        }
        Ok(_) => {}
        Err(error) => assert_readable(&error.to_string()),
    }
}

/// Takes `input` for the configuration of a Keras model, and holds it against a network.
pub fn configuration(input: &[u8]) {
    let Ok(json) = str::from_utf8(input) else { return };
    let (read, memory) = measured(|| Configuration::parse(json));
    assert!(memory.peak <= (64 << 10) + 192 * input.len(), "{} bytes to read {}", memory.peak, input.len());
    let Ok(configuration) = read else { return };
    static NETWORK: OnceLock<Mutex<Box<dyn Model>>> = OnceLock::new();
    let entry = registry::find("vgg16").expect("a known model");
    let network = NETWORK.get_or_init(|| {
        let options = Options { activation: "relu", classes: 10, image: Some((32, 32)), weights: Start::Unfilled };
        Mutex::new(entry.build(&options).expect("a model"))
    });
    let mut network = network.lock().unwrap_or_else(PoisonError::into_inner);
    let names = entry.names((32, 32));
    let loaded = names.iter().filter_map(|layer| layer.name_by(Source::Keras)).collect();
    let differences = configuration.differences(network.net_mut(), &names, &loaded).expect("the visit gives no error");
    differences.to_string().lines().for_each(assert_readable);
}

/// Keys of what a file saved here says of its model.
const KEYS: [&str; 8] = ["model", "activation", "classes", "image", "preprocessing", "labels", "tuning", "frozen"];

/// Reads the record of a tuning, and writes it again.
fn record<T: FromStr<Err = TuningError>>(text: &str, write: impl Fn(&T) -> String) {
    let (record, memory) = measured(|| text.parse::<T>());
    assert!(memory.peak <= (64 << 10) + 64 * text.len(), "{} bytes to read {}", memory.peak, text.len());
    // A number of almost the largest magnitude may be beyond it when it is read again.
    let again = record.and_then(|record| write(&record).parse::<T>());
    if let Err(error) = again {
        assert_readable(&error.to_string());
    }
}

/// Takes the lines of `input` for what a file says of its model, in the order of [`KEYS`].
pub fn metadata(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let said: BTreeMap<String, &str> = KEYS.iter().map(|key| format!("pvlu_zoo.{key}")).zip(text.split('\n')).collect();
    let header = serde_json::json!({ "__metadata__": said }).to_string();
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    let file = TensorFile::from_bytes("input", file).expect("a file without tensors");
    let (description, memory) = measured(|| describe(&file));
    assert!(memory.peak <= (64 << 10) + 64 * input.len(), "{} bytes to read {}", memory.peak, input.len());
    match description {
        Ok(description) => {
            let (tuning, frozen) = (description.tuning.as_deref(), description.frozen.as_deref());
            record(tuning.unwrap_or_default(), Tuning::to_json);
            record(frozen.unwrap_or_default(), FrozenState::to_json);
            let Some(text) = description.preprocessing else { return };
            match text.parse::<Preprocessing>() {
                Ok(read) => assert_eq!(read.to_string().parse::<Preprocessing>().ok(), Some(read)),
                Err(error) => assert_readable(&error.to_string()),
            }
        }
        Err(error) => assert_readable(&error.to_string()),
    }
}

/// Memory in bytes beyond those that there were before.
pub struct Memory {
    /// Bytes at the worst moment.
    pub peak: usize,
    /// Bytes that stay at the end, for the result.
    pub kept: usize,
}

/// Runs `work`, and returns its result and the memory that it took. Nothing else may run meanwhile.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Memory) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = work();
    let beyond = |bytes: usize| bytes.saturating_sub(before);
    (result, Memory { peak: beyond(ALLOCATOR.peak_usage()), kept: beyond(ALLOCATOR.current_usage()) })
}

/// A message of an error is one line, and not endless.
pub fn assert_readable(message: &str) {
    assert!(!message.contains(pvlu_zoo::text::is_acted_on), "{message:?}");
    assert!(message.len() <= MESSAGE, "{} bytes: {message:.1000}", message.len());
}
