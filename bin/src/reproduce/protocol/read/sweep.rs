//! The sweep of a protocol.

use super::values::seeds;
use crate::reproduce::protocol::reader::{ProtocolError, Section, Value};
use crate::reproduce::protocol::sweep::{Setting, Sweep, TRIAL_SEEDS, Tried, is_about};

/// Reads a sweep, each of whose settings has to make a protocol, as `is_one` says. Its seeds are no seeds of `runs`.
pub fn sweep(
    section: &Section<'_>,
    runs: &[u64],
    is_one: &dyn Fn(&Setting) -> Result<(), ProtocolError>,
) -> Result<Sweep, ProtocolError> {
    let mut sweep = Sweep { seeds: TRIAL_SEEDS.to_vec(), tried: Vec::new() };
    let of_seeds = section.find("seeds");
    if let Some(value) = &of_seeds {
        sweep.seeds = seeds(value)?;
    }
    if let Some(seed) = sweep.seeds.iter().find(|seed| runs.contains(seed)) {
        let what = format!("expected other seeds than those of the runs, which trials choose for, found {seed}");
        return Err(of_seeds.map_or_else(|| section.error(&what), |value| value.error(&what)));
    }
    let mut items_of: Vec<Vec<Value<'_>>> = Vec::new();
    for value in section.values() {
        let name = value.path().strip_prefix("sweep.").unwrap_or_default();
        if name == "seeds" {
            continue;
        }
        let items = value.list()?;
        let texts: Vec<String> = items.iter().map(|item| item.rendered().unwrap_or_default()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        sweep.tried.push(Tried::of(name, &texts).map_err(|what| value.error(&what))?);
        items_of.push(items);
    }
    sweep.check().map_err(|what| section.error(&what))?;
    for setting in sweep.settings() {
        is_one(&setting).map_err(|error| {
            let what = format!("{setting}: {}", error.what);
            // The place is that of the value that the error is about, if it is about one.
            let found = sweep.tried.iter().zip(&items_of).find(|(tried, _)| is_about(&error.what, tried.key));
            let item = found.and_then(|(tried, items)| {
                let at = tried.values.iter().position(|value| setting.value(tried.key) == Some(value))?;
                items.get(at)
            });
            item.map_or_else(|| section.error(&what), |item| item.error(&what))
        })?;
    }
    Ok(sweep)
}
