//! Keys of the metadata of a file saved here.

pub const VERSION: &str = "pvlu_zoo.version";
pub const MODEL: &str = "pvlu_zoo.model";
pub const ACTIVATION: &str = crate::weights::ACTIVATION_KEY;
pub const CLASSES: &str = "pvlu_zoo.classes";
pub const IMAGE: &str = "pvlu_zoo.image";
pub const PREPROCESSING: &str = "pvlu_zoo.preprocessing";
pub const LABELS: &str = "pvlu_zoo.labels";
pub const TRAINED_ON: &str = "pvlu_zoo.trained_on";
pub const TUNING: &str = "pvlu_zoo.tuning";
pub const FROZEN: &str = "pvlu_zoo.frozen";
/// Of a file written for torch: names of the modules of its activations, and the logits of the image that its program
/// checks itself with.
pub const SITES: &str = crate::weights::SITES_KEY;
pub const LOGITS: &str = "pvlu_zoo.logits";
