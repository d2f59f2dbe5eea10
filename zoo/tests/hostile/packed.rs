//! Damaged archives and Parquet files of images.

use super::mutation::{self, Random};
use super::shards::{shard, shards};
use super::{files, folder, turn};

/// Fixtures, each with the folder that it is in.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folders = ["codecs", "packed", "samples", "mnist", "cifar100/cifar100", "refused"];
    let folders = folders.map(|name| format!("tests/fixtures/shards/{name}"));
    folders.iter().flat_map(|name| files(name, &[".parquet", ".tar", ".gz"])).collect()
}

#[test]
fn a_cut_archive_or_table_is_refused() {
    let _turn = turn();
    for name in ["packed/gnu.tar", "packed/packed.tar.gz", "codecs/snappy.parquet", "codecs/plain.parquet"] {
        let bytes = std::fs::read(folder("tests/fixtures/shards").join(name)).unwrap();
        let name = name.rsplit('/').next().unwrap();
        assert!(shard(name, &bytes), "{name}");
        // Behind the first block of zeros there is nothing.
        let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        for len in (0..bytes.len() - zeros).step_by(31) {
            assert!(!shard(name, &bytes[..len]), "{name} cut to {len} of {}", bytes.len());
        }
    }
}

#[test]
fn a_flipped_bit_in_an_archive_or_table_gives_an_error_or_whole_images() {
    let _turn = turn();
    for (name, bytes) in fixtures() {
        let mut random = Random::new(&name);
        let mut damaged = bytes.clone();
        // The footer of a table, at its end, has most to say.
        let from = if name.ends_with(".parquet") { bytes.len() / 3 } else { 0 };
        for _ in 0..60 {
            let (byte, bit) = (from + random.below(bytes.len() - from), random.below(8));
            damaged[byte] ^= 1 << bit;
            shard(&name, &damaged);
            damaged[byte] = bytes[byte];
        }
    }
}

#[test]
fn damage_of_every_kind_to_an_archive_or_table_gives_an_error_or_whole_images() {
    let _turn = turn();
    let seeds = fixtures();
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..30 {
            let damaged = mutation::of(bytes, &seeds, &mut random);
            shard(name, &damaged);
            let kind = match () {
                () if name.ends_with(".parquet") => 0,
                () if name.ends_with(".gz") => 3,
                () => 1,
            };
            shards(&[&[kind][..], &damaged].concat());
        }
    }
}
