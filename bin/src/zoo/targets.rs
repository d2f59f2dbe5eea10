//! Where a command writes: never over what it reads, and over another file only if the user said so.

use std::fs::{self, Metadata};
use std::path::Path;

use crate::error::CliError;
use crate::output::write_probe;

/// Makes sure, before any work is done, that a command may write a file and can: it is none of those that are read, by
/// whatever name or link, and where there is a file already, the user has `force`d to replace it.
pub fn check(output: &Path, inputs: &[&Path], force: bool) -> Result<(), CliError> {
    if let Some(input) = inputs.iter().find(|input| is_same(output, input)) {
        return Err(CliError::Usage(format!(
            "{}: is {}, which is read: name another file to write",
            output.display(),
            if *output == **input { "the same file".to_owned() } else { input.display().to_string() }
        )));
    }
    if !force && fs::metadata(output).is_ok_and(|metadata| metadata.is_file()) {
        return Err(CliError::Usage(format!("{}: is there already: --force replaces it", output.display())));
    }
    write_probe(output)
}

/// Whether two paths lead to the same file. One that is not there is no other's.
fn is_same(a: &Path, b: &Path) -> bool {
    let (Ok(first), Ok(second)) = (fs::metadata(a), fs::metadata(b)) else { return a == b };
    if let Some(same) = identity(&first).zip(identity(&second)).map(|(a, b)| a == b) {
        return same;
    }
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Device and number of a file, which its hard links share.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

/// Not told here.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_read_is_refused_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("in"), "x").unwrap();
        fs::create_dir(path("sub")).unwrap();
        fs::hard_link(path("in"), path("hard")).unwrap();
        let mut names = vec![path("in"), path("sub/../in"), path("hard")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("in"), path("soft")).unwrap();
            std::os::unix::fs::symlink(folder.path(), path("loop")).unwrap();
            names.extend([path("soft"), path("loop/in")]);
        }
        let input = path("in");
        for name in names {
            for force in [false, true] {
                let error = check(&name, &[&path("other"), &input], force).unwrap_err().to_string();
                assert!(error.contains(&name.display().to_string()) && error.contains("which is read"), "{error}");
            }
        }
        // Neither is there yet.
        assert!(check(&path("new"), &[&path("new")], true).is_err());
        check(&path("new"), &[&input, &path("none")], false).unwrap();
        assert_eq!(fs::read_to_string(&input).unwrap(), "x");
    }

    #[test]
    fn a_file_that_is_there_is_replaced_by_force_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        check(&path, &[], false).unwrap();
        fs::write(&path, "mine").unwrap();
        let error = check(&path, &[], false).unwrap_err();
        assert!(error.to_string().contains("--force") && matches!(error, CliError::Usage(_)), "{error}");
        check(&path, &[], true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
