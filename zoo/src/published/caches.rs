//! Folders in which programs keep the weights that they fetched.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Values of environment variables by name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Folders of published weights on this machine. One that no variable leads to is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Folder of `torch.hub` and torchvision: `hub/checkpoints` in `TORCH_HOME`, else in `torch` in `XDG_CACHE_HOME`,
    /// else in `~/.cache/torch`.
    pub torch: Option<PathBuf>,
    /// Folder of the Hugging Face Hub: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, else in
    /// `huggingface` in `XDG_CACHE_HOME`, else in `~/.cache/huggingface`.
    pub hub: Option<PathBuf>,
    /// Folder of Keras: `models` in `KERAS_HOME`, else in `~/.keras`. Where Keras cannot write there it uses a folder
    /// in `/tmp`, which anybody may have made, and which is not looked at here.
    pub keras: Option<PathBuf>,
}

impl Caches {
    /// The folders that these variables say, by the rules of the programs that fill them: the first variable that is
    /// set decides alone. A variable that is empty counts as one that is not set; `~` at the beginning of a value is
    /// the home folder.
    #[must_use]
    pub fn of(variables: Variables<'_>) -> Self {
        let set = |name: &str| variables(name).filter(|value| !value.is_empty());
        let home = set("HOME").or_else(|| set("USERPROFILE")).map(PathBuf::from);
        let folder = |name: &str| {
            let value = PathBuf::from(set(name)?);
            match value.strip_prefix("~") {
                Ok(rest) => home.as_ref().map(|home| home.join(rest)),
                Err(_) => Some(value),
            }
        };
        let cache = || folder("XDG_CACHE_HOME").or_else(|| home.as_ref().map(|home| home.join(".cache")));
        let torch = folder("TORCH_HOME").or_else(|| cache().map(|cache| cache.join("torch")));
        let hub = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE")).or_else(|| {
            let hugging_face = folder("HF_HOME").or_else(|| cache().map(|cache| cache.join("huggingface")));
            hugging_face.map(|folder| folder.join("hub"))
        });
        let keras = folder("KERAS_HOME").or_else(|| home.as_ref().map(|home| home.join(".keras")));
        Self {
            torch: torch.map(|folder| within(&folder, &["hub", "checkpoints"])),
            hub,
            keras: keras.map(|folder| within(&folder, &["models"])),
        }
    }
}

fn within(folder: &Path, parts: &[&str]) -> PathBuf {
    parts.iter().fold(folder.to_owned(), |path, part| path.join(part))
}
