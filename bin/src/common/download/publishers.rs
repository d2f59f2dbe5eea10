//! Addresses of the publishers, which variables can replace.

use pvlu_zoo::published::Variables;
use pvlu_zoo::source::Source;

use super::client::{Secret, is_allowed};
use super::error::DownloadError;

/// Variable with addresses that replace those of the publishers: `torchvision=https://mirror.example/models/,...`.
pub const PUBLISHERS: &str = "PVLU_ZOO_PUBLISHERS";

/// Variable with the address of the Hugging Face Hub, and the token for it.
const ENDPOINT: (&str, &str) = ("HF_ENDPOINT", "HF_TOKEN");

/// Addresses that replace those of the publishers; the address of timm is that of the Hugging Face Hub.
#[derive(Clone, Debug, Default)]
pub struct Publishers(Vec<(Source, String)>);

impl Publishers {
    /// The addresses that the environment gives.
    ///
    /// # Errors
    ///
    /// [`DownloadError::Setting`] for a list that is none, and for an address that is not allowed.
    pub fn of(variables: Variables<'_>) -> Result<Self, DownloadError> {
        let text = |name: &str| {
            variables(name).map(|value| value.to_string_lossy().trim().to_owned()).filter(|value| !value.is_empty())
        };
        let wrong =
            |variable, expected, found: &str| DownloadError::Setting { variable, expected, found: found.to_owned() };
        let mut replaced = Vec::new();
        for part in text(PUBLISHERS).iter().flat_map(|list| list.split(',')) {
            let expected = "NAME=ADDRESS,... with names of publishers and https addresses";
            let parsed = part.trim().split_once('=').and_then(|(name, address)| Some((Source::named(name)?, address)));
            let Some((source, address)) = parsed.filter(|(_, address)| is_allowed(address)) else {
                return Err(wrong(PUBLISHERS, expected, part));
            };
            replaced.push((source, format!("{}/", address.trim_end_matches('/'))));
        }
        if let Some(endpoint) = text(ENDPOINT.0) {
            if !is_allowed(&endpoint) {
                return Err(wrong(ENDPOINT.0, "an https address", &endpoint));
            }
            replaced.push((Source::Timm, format!("{}/", endpoint.trim_end_matches('/'))));
        }
        Ok(Self(replaced))
    }

    /// Address of a place at a publisher.
    pub fn url(&self, source: Source, place: &str) -> String {
        match self.0.iter().find(|(replaced, _)| *replaced == source) {
            Some((_, address)) => format!("{address}{place}"),
            None => source.url(place),
        }
    }

    /// The token for the Hugging Face Hub, which its address alone is to get.
    pub fn token(&self, variables: Variables<'_>) -> Option<Secret> {
        let token = variables(ENDPOINT.1)?.to_string_lossy().trim().to_owned();
        (!token.is_empty()).then(|| Secret::new(&self.url(Source::Timm, ""), ENDPOINT.1, &token)).flatten()
    }
}
