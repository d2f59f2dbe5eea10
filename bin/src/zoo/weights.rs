//! `zoo weights`: the published files of the models, where they are on this machine, fetching them, and their hashes.

mod args;

use std::path::{Path, PathBuf};

use pvlu_zoo::cards::Weights;
use pvlu_zoo::published::{Cached, Caches, Hash, Name, Published, all};
use pvlu_zoo::registry::{self, ModelEntry};
use pvlu_zoo::text;
use serde_json::{Value, json};

pub use self::args::{EXAMPLES, WeightsArgs};
use self::args::{ListArgs, NamedArgs, VerifyArgs, WeightsCommand};
use crate::common::checksum;
use crate::common::error::CliError;
use crate::common::named::{environment, here, of_published};
use crate::common::output::{note_error, print, print_json};

/// Runs one of the commands on published files.
pub fn run(args: &WeightsArgs) -> Result<(), CliError> {
    let caches = Caches::of(&environment);
    match &args.command {
        WeightsCommand::List(args) => list(args, &caches),
        WeightsCommand::Path(args) => print(&named(args)?.find(&caches)?.path.display().to_string()),
        WeightsCommand::Fetch(args) => {
            print(&here(&named(args)?, args.offline, &environment)?.path.display().to_string())
        }
        WeightsCommand::Verify(args) => verify(args, &caches),
    }
}

/// The weights that a name means.
fn named(args: &NamedArgs) -> Result<Published, CliError> {
    let name = Name::parse(&args.name)?.ok_or_else(|| unknown(&args.name))?;
    Ok(name.resolve(args.model.as_deref(), args.classes)?)
}

fn unknown(name: &str) -> CliError {
    CliError::Usage(format!(
        "{}: expected torchvision, timm, keras, idelbayev or chen with --model, hf:OWNER/REPO, or a file that `zoo \
         weights list` shows",
        text::quoted(name)
    ))
}

/// A published file of a model, as it is listed.
struct Row {
    entry: &'static ModelEntry,
    published: Published,
    weights: &'static Weights,
    hash: Option<Hash>,
    path: Option<PathBuf>,
}

fn rows(model: Option<&str>, caches: &Caches) -> Result<Vec<Row>, CliError> {
    let wanted = model.map(registry::find).transpose()?;
    let of_model = all().filter(|(entry, _)| wanted.is_none_or(|wanted| wanted.name == entry.name));
    Ok(of_model
        .filter_map(|(entry, published)| {
            let (_, weights) = of_published(&published)?;
            let cached = published.find(caches).ok();
            let stated = match &published {
                Published::File(file) => file.hash(),
                Published::Hub(_) => cached.as_ref().and_then(|cached| cached.hash.clone()),
            };
            Some(Row { entry, published, weights, hash: stated, path: cached.map(|cached| cached.path) })
        })
        .collect())
}

/// True for a file without the classifier, whose accuracy is none and whose size is not stated.
fn is_whole(published: &Published) -> bool {
    !matches!(published, Published::File(file) if file.without_classifier)
}

fn list(args: &ListArgs, caches: &Caches) -> Result<(), CliError> {
    let rows = rows(args.model.as_deref(), caches)?;
    if args.json {
        let as_json = |row: &Row| {
            json!({
                "model": row.entry.name,
                "from": row.weights.source.name(),
                "name": row.published.to_string(),
                "recipe": row.weights.place,
                "mebibytes": row.weights.mebibytes.filter(|_| is_whole(&row.published)),
                "hash": row.hash.as_ref().map(|hash| json!({ "function": hash.function(), "digits": hash.digits() })),
                "license": row.weights.license,
                "top1": row.weights.top1.filter(|_| is_whole(&row.published)),
                "preprocessing": row.weights.preprocessing.to_string(),
                "path": row.path.as_ref().map(|path| path.display().to_string()),
            })
        };
        return print_json(&Value::Array(rows.iter().map(as_json).collect()));
    }
    let mut lines = Vec::new();
    let mut last = "";
    for row in &rows {
        if std::mem::replace(&mut last, row.entry.name) != row.entry.name {
            lines.push(row.entry.name.to_owned());
        }
        let whole = is_whole(&row.published);
        let size = row.weights.mebibytes.filter(|_| whole).map(|size| format!("{size} MiB"));
        let top1 = row.weights.top1.filter(|_| whole).map(|top1| format!("top1 {top1} %"));
        let license =
            row.weights.license.map_or("license not stated".to_owned(), |license| format!("license {license}"));
        let hash = row.hash.as_ref().map_or("no hash stated".to_owned(), Hash::to_string);
        let here = row.path.as_ref().map(|_| "on this machine".to_owned());
        let facts: Vec<String> = [size, top1, Some(license), Some(hash), here].into_iter().flatten().collect();
        lines.push(format!("  {}", row.published));
        lines.push(format!("      {}: {}", row.weights.source.title(), facts.join(", ")));
    }
    print(&lines.join("\n"))
}

/// Checks files, those that are named or all that are in the caches. Every file is checked before the first wrong one
/// is an error.
fn verify(args: &VerifyArgs, caches: &Caches) -> Result<(), CliError> {
    let mut files: Vec<Cached> = Vec::new();
    for name in &args.names {
        files.push(match Name::parse(name)? {
            _ if Path::new(name).exists() => at_path(Path::new(name)),
            Some(name) => name.resolve(args.model.as_deref(), args.classes)?.find(caches)?,
            None => return Err(unknown(name)),
        });
    }
    if args.names.is_empty() {
        files.extend(all().filter_map(|(_, published)| published.find(caches).ok()));
    }
    let mut wrong = 0;
    for Cached { path, hash } in &files {
        let shown = text::path(path);
        let Some(hash) = hash else {
            let digest = checksum::digest(path, &Hash::Sha256(String::new()))?;
            print(&format!("{shown}: no hash is stated; SHA-256 {digest}"))?;
            continue;
        };
        match checksum::check(path, hash) {
            Ok(()) => print(&format!("{shown}: {hash}, as stated"))?,
            Err(error @ CliError::OtherHash { .. }) => {
                wrong += 1;
                note_error(&error);
            }
            Err(error) => return Err(error),
        }
    }
    if files.is_empty() {
        return print("no published file is on this machine");
    }
    if wrong == 0 { Ok(()) } else { Err(CliError::SomeFiles { wrong, files: files.len() }) }
}

/// A file with the hash that its name states, or the blob that it is a link to.
fn at_path(path: &Path) -> Cached {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_name = Name::parse(name).ok().flatten().and_then(|name| match name {
        Name::File(file) => file.hash(),
        _ => None,
    });
    let blob = || Hash::of_blob(std::fs::read_link(path).ok()?.file_name()?.to_str()?);
    Cached { path: path.to_owned(), hash: of_name.or_else(blob) }
}
