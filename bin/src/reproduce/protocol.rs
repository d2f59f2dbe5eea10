//! Protocols: what a table compares, on which images, and how it is trained. Those of the paper's tables are built in,
//! as the TOML files in the folder `protocols`; others are a user's own.
//!
//! | file | content |
//! |---|---|
//! | [`definition`] | a protocol, as values |
//! | [`arm`] | the arms of a comparison, and the parts of a network that a phase trains |
//! | [`preset`] | amounts of work |
//! | [`limits`] | bounds of values, and the form of names |
//! | [`reader`] | values of a TOML text with their places |
//! | [`read`] | a protocol from TOML |
//! | [`printed`] | what the paper prints |
//! | [`paper`] | the tables |
//! | [`public`] | protocols in public use that are not the paper's |
//! | [`own`] | protocols in files |
//! | [`sweep`] | values that are tried before the runs |
//! | [`published`] | the paper's numbers of a run |
//! | [`values`] | the values of protocols for the report |

pub mod arm;
pub mod definition;
pub mod limits;
pub mod own;
pub mod paper;
pub mod preset;
pub mod printed;
pub mod public;
pub mod published;
pub mod read;
pub mod reader;
pub mod sweep;
pub mod values;
