//! Weights that a user names instead of giving a path: they are looked for in the caches of their publishers' programs,
//! and else fetched.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use pvlu_zoo::cards::Weights;
use pvlu_zoo::published::{Cached, Caches, Name, Published, PublishedError, Variables, of_place};
use pvlu_zoo::registry::ModelEntry;

use super::checksum;
use super::error::CliError;
use super::output::note;

/// Variables that forbid to fetch, and their values that do.
const OFFLINE: ([&str; 2], [&str; 4]) = (["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"], ["1", "ON", "YES", "TRUE"]);

/// The variables of this process.
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The variable that forbids to fetch, if one does.
pub fn is_offline(variables: Variables<'_>) -> Option<&'static str> {
    let forbids = |name: &&str| {
        let value = variables(name).unwrap_or_default().to_string_lossy().to_uppercase();
        OFFLINE.1.contains(&value.as_str())
    };
    OFFLINE.0.into_iter().find(|name| forbids(name))
}

/// Replaces a name of published weights by the path of the file. A path that is there is one, whatever its name. A
/// model that is not given is set, if the name says it.
pub fn locate(
    weights: &Path,
    model: &mut Option<String>,
    classes: Option<usize>,
    offline: bool,
    variables: Variables<'_>,
) -> Result<PathBuf, CliError> {
    let text = weights.to_str().filter(|_| fs::symlink_metadata(weights).is_err());
    let Some(name) = text.map(Name::parse).transpose()?.flatten() else { return Ok(weights.to_owned()) };
    let published = name.resolve(model.as_deref(), classes)?;
    let path = here(&published, offline, variables)?.path;
    if model.is_none() {
        *model = of_published(&published).map(|(entry, _)| entry.name.to_owned());
    }
    Ok(path)
}

/// Says which file a user's name of weights stands for.
pub fn note_file(named: &Path, path: &Path) {
    if named != path {
        note(&format!("note: {}: {}", named.display(), path.display()));
    }
}

/// The file of published weights on this machine, with its hash checked; it is fetched if it is not there.
pub fn here(published: &Published, offline: bool, variables: Variables<'_>) -> Result<Cached, CliError> {
    let caches = Caches::of(variables);
    let missing = match published.find(&caches) {
        Ok(cached) => {
            cached.hash.as_ref().map_or(Ok(()), |hash| checksum::check(&cached.path, hash))?;
            return Ok(cached);
        }
        Err(missing @ PublishedError::NotThere { .. }) => missing,
        Err(error) => return Err(error.into()),
    };
    let forbidding = if offline { Some("--offline") } else { is_offline(variables) };
    if let Some(by) = forbidding {
        return Err(CliError::NotFetched { source: missing, why: format!("{by} forbids to fetch it") });
    }
    #[cfg(feature = "download")]
    return super::download::Downloader::new(variables)?.fetch(published, &caches);
    #[cfg(not(feature = "download"))]
    Err(CliError::NotFetched { source: missing, why: "this program was built without its feature download".to_owned() })
}

/// The card of published weights.
pub fn of_published(published: &Published) -> Option<(&'static ModelEntry, &'static Weights)> {
    match published {
        Published::File(file) => of_place(file.weights.place),
        Published::Hub(repository) => of_place(&repository.id()),
    }
}
