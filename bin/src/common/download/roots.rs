//! The authorities that vouch for servers: those that the environment names, else the system's.

use std::env;
use std::path::{Path, PathBuf};

use pvlu_zoo::published::Variables;
use pvlu_zoo::text;
use rustls_native_certs::{CertificateResult, Error, ErrorKind, load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, RootCerts};

use super::error::DownloadError;
use crate::common::output::note;

/// Variable with a file of certificates.
const FILE: &str = "SSL_CERT_FILE";

/// Variable with folders of such files, separated as those of `PATH`.
const FOLDERS: &str = "SSL_CERT_DIR";

/// The certificates of the authorities that these variables name, as the client takes them. Without the variables they
/// are the system's; on a system that has none, Mozilla's, which are built in. Stderr says so where the system has some
/// that cannot be read.
///
/// # Errors
///
/// [`DownloadError::Certificates`] for a file without any or an empty name of one, and for folders without any if no
/// file is named.
pub fn of(variables: Variables<'_>) -> Result<RootCerts, DownloadError> {
    let (file, folders) = (variables(FILE), variables(FOLDERS).filter(|value| !value.is_empty()));
    // The reader of the system's certificates looks at the variable, too, and would find none at all.
    if file.as_ref().is_some_and(|file| file.is_empty()) {
        let reason = "found an empty text: unset it to trust the system's".to_owned();
        return Err(DownloadError::Certificates { variable: FILE, path: PathBuf::new(), reason });
    }
    let mut found = match &file {
        Some(file) => some(FILE, file.as_ref(), load_certs_from_paths(Some(file.as_ref()), None))?,
        None if folders.is_none() => load_native_certs(),
        None => CertificateResult::default(),
    };
    if let Some(folders) = &folders {
        for folder in env::split_paths(folders).filter(|folder| !folder.as_os_str().is_empty()) {
            let more = load_certs_from_paths(None, Some(&folder));
            found.certs.extend(more.certs);
            found.errors.extend(more.errors);
        }
        found = some(FOLDERS, folders.as_ref(), found)?;
    }
    if found.certs.is_empty() {
        unread(&found).iter().for_each(|line| note(line));
        return Ok(RootCerts::WebPki);
    }
    Ok(found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into())
}

/// The certificates found at a path that a variable names, of which there has to be one at least.
fn some(variable: &'static str, path: &Path, found: CertificateResult) -> Result<CertificateResult, DownloadError> {
    if !found.certs.is_empty() {
        return Ok(found);
    }
    let reason = found.errors.first().map_or("found none".to_owned(), |error| match &error.kind {
        ErrorKind::Io { inner, .. } => inner.to_string(),
        _ => error.to_string(),
    });
    Err(DownloadError::Certificates { variable, path: path.to_owned(), reason })
}

/// The warning that the system's certificates were found and cannot be read, if that is so.
fn unread(found: &CertificateResult) -> Option<String> {
    let reason = match found.errors.first()? {
        Error { kind: ErrorKind::Io { inner, path }, .. } => format!("{}: {}", text::path(path), text::system(inner)),
        error => error.to_string(),
    };
    Some(format!("warning: the system's certificates cannot be read, so that Mozilla's are trusted: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn certificates_of_the_system_that_are_there_and_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (cut, text) = (folder.path().join("cut.pem"), folder.path().join("text.pem"));
        let pem = include_str!("tests/certificates/authority.pem");
        fs::write(&cut, &pem[..100]).unwrap();
        fs::write(&text, "no certificate").unwrap();
        let warning = |file: &Path| unread(&load_certs_from_paths(Some(file), None));
        // A folder under the name of a file is as unreadable as a file that permissions hide, to every user.
        let line = warning(folder.path()).unwrap();
        let start = "warning: the system's certificates cannot be read, so that Mozilla's are trusted: ";
        assert!(line.starts_with(&format!("{start}{}: ", folder.path().display())), "{line}");
        assert!(warning(&cut).unwrap().starts_with(&format!("{start}failed to read PEM from file")));
        // A system without any has none that could be read.
        assert_eq!(warning(&text), None);
    }
}
