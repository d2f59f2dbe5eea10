//! The sweep of a protocol.

use super::values::seeds;
use crate::reproduce::protocol::reader::{ProtocolError, Section};
use crate::reproduce::protocol::sweep::{Setting, Sweep, TRIAL_SEEDS, Tried};

/// Reads a sweep, each of whose values alone has to make a protocol, as `is_one` says.
pub fn sweep(
    section: &Section<'_>,
    is_one: &dyn Fn(&Setting) -> Result<(), ProtocolError>,
) -> Result<Sweep, ProtocolError> {
    let mut sweep = Sweep { seeds: TRIAL_SEEDS.to_vec(), tried: Vec::new() };
    if let Some(value) = section.find("seeds") {
        sweep.seeds = seeds(&value)?;
    }
    for value in section.values().into_iter().filter(|value| value.key() != "seeds") {
        let items = value.list()?;
        let texts: Vec<String> = items.iter().map(|item| item.rendered().unwrap_or_default()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tried = Tried::of(value.key(), &texts).map_err(|what| value.error(&what))?;
        let one = Sweep { seeds: sweep.seeds.clone(), tried: vec![tried.clone()] };
        for (item, setting) in items.iter().zip(one.settings()) {
            is_one(&setting).map_err(|error| item.error(&error.what))?;
        }
        sweep.tried.push(tried);
    }
    sweep.check().map_err(|what| section.error(&what))?;
    Ok(sweep)
}
