//! Image files that cannot be read, found before the first step of a training.

use std::sync::Arc;

use pvlu_zoo::text;

use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::interrupt;
use crate::common::progress::Progress;
use crate::common::ranks;

/// Image files that are decoded between two looks at Ctrl-C.
const PIECE: usize = 256;

/// The images that can be read. One that cannot is an error, or left out and counted if the user asked for that.
pub fn readable(images: Images, skips: bool, what: &str, progress: &Progress) -> Result<Images, CliError> {
    let Images::Files(folder) = images else { return Ok(images) };
    let mut check = |piece: usize| {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let begin = piece * PIECE;
        let mut found = Vec::new();
        for (index, source) in folder.unreadable(begin..(begin + PIECE).min(folder.len())) {
            if !skips {
                return Err(CliError::Unreadable { source });
            }
            found.push((index, source.to_string()));
        }
        Ok(found)
    };
    let found = ranks::found_in_pieces(folder.len().div_ceil(PIECE), &mut check)?;
    found.iter().for_each(|(_, error)| progress.note(&format!("left out: {error}")));
    let left_out: Vec<usize> = found.into_iter().map(|(index, _)| index).collect();
    if left_out.is_empty() {
        return Ok(Images::Files(folder));
    }
    let (all, count) = (folder.len(), left_out.len());
    let place = text::path(folder.path()).to_string();
    progress.say(&format!("{place}: left out {count} of {all} images {what}, which cannot be read"));
    Ok(Images::Files(Arc::new(Arc::unwrap_or_clone(folder).without(&left_out))))
}
