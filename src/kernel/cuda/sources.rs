//! The sources of the kernels, for the build scripts that compile them: `build.rs` with nvcc, and the one of
//! `tests/cuda_host` as C++.
//!
//! A source is a file `NAME.cu`, or, where it is short, stands in `NAME.rs` beside the launch of its kernels; the
//! formula of an activation stands in the activation's file. In a Rust file it is what `cuda_source!` holds: the macro
//! makes nothing of it, and this module reads it from the file's text.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The line before a source in a Rust file.
const OPENING: &str = "\ncuda_source! {r#\"\n";

/// The line after it.
const CLOSING: &str = "\n\"#}\n";

/// The line of a formula that states how many parameters it has, up to the number.
const PARAMS: &str = "static constexpr int PARAMS = ";

/// Paths of all sources of the folder `kernels`, in a fixed order. Those that stand in Rust files are written to `out`,
/// and so is what the activations of the folder `activations` give:
///
/// - `formulas.cuh`, which `activation.cu` includes: each formula in a namespace `formula_NAME`, and the macro
///   `KERNELS` of their kernels in one element type;
/// - `formulas.rs`, the constant of `activation.rs`: pairs of a formula's name and its number of parameters, and the
///   names of all kernels.
///
/// A compiler has to find headers in `kernels` and in `out`.
pub fn sources(kernels: &Path, activations: &Path, out: &Path) -> Result<Vec<PathBuf>, String> {
    let mut sources = files(kernels, "cu")?;
    for file in files(kernels, "rs")? {
        if let Some(source) = embedded(&file)? {
            let name = file.file_stem().unwrap_or_default();
            sources.push(write(&out.join(name).with_extension("cu"), &source)?);
        }
    }
    formulas(activations, out)?;
    Ok(sources)
}

/// Writes `formulas.cuh` and `formulas.rs`.
fn formulas(activations: &Path, out: &Path) -> Result<(), String> {
    let [mut header, mut kernels, mut list, mut names] = [const { String::new() }; 4];
    for file in files(activations, "rs")? {
        let Some(source) = embedded(&file)? else { continue };
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let params = source.split_once(PARAMS).and_then(|(_, rest)| rest.split(';').next()?.parse::<usize>().ok());
        let params = params.ok_or_else(|| format!("{}: the formula has no line '{PARAMS}N;'", file.display()))?;
        let (define, backward) = match params {
            0 => ("WITHOUT_SUMS", ""),
            _ => ("WITH_SUMS", "_backward"),
        };
        // Nothing fails to be written to a string.
        let _ = writeln!(header, "namespace formula_{name} {{\n{source}}}");
        let _ = write!(kernels, " \\\n    {define}(formula_{name}::Formula, {name}, T, SUFFIX)");
        let _ = writeln!(list, "(\"{name}\", {params}),");
        for kernel in ["_forward", "_backward_input", backward].into_iter().filter(|kernel| !kernel.is_empty()) {
            let _ = writeln!(names, "\"{name}{kernel}_f32\", \"{name}{kernel}_f64\",");
        }
    }
    write(&out.join("formulas.cuh"), &format!("{header}#define KERNELS(T, SUFFIX){kernels}\n"))?;
    write(&out.join("formulas.rs"), &format!("(&[\n{list}], &[\n{names}])\n"))?;
    Ok(())
}

/// The source that a Rust file holds, if it does, after a directive by which a compiler's messages name that file.
fn embedded(file: &Path) -> Result<Option<String>, String> {
    let text = fs::read_to_string(file).map_err(|error| told(file, &error))?.replace("\r\n", "\n");
    let Some((before, rest)) = text.split_once(OPENING) else { return Ok(None) };
    let (source, _) =
        rest.split_once(CLOSING).ok_or_else(|| format!("{}: cuda_source! has no end {CLOSING:?}", file.display()))?;
    // The newline that the opening begins with, and its own line, come before the first of the source.
    let line = before.matches('\n').count() + 3;
    Ok(Some(format!("#line {line} {:?}\n{source}\n", file.display().to_string())))
}

/// The files of a folder with this ending, in a fixed order.
pub fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| told(folder, &error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect();
    files.sort();
    Ok(files)
}

fn write(path: &Path, text: &str) -> Result<PathBuf, String> {
    fs::write(path, text).map_err(|error| told(path, &error))?;
    Ok(path.to_owned())
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
