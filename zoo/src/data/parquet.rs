//! Parquet files of labeled images, as Hugging Face keeps them: a column of images, each of them a file in a column of
//! bytes, and a column of labels, the names of which are in the file's metadata
//! (<https://parquet.apache.org/docs/file-format/>).
//!
//! No more of the format is read than such files have: two columns without repetition, values written plainly or by a
//! dictionary, pages that are not compressed or by snappy or gzip. What a header says is compared with the bytes that
//! there are before anything is made of it, and of an image that is not compressed only its place is kept.

mod compact;
mod fault;
mod footer;
mod names;
mod page;
mod runs;
mod table;

pub(super) use table::read;
