//! Families of networks: a file of each has its architectures as types, their names, their cards and their entries in
//! the registry.

pub(crate) mod entry;

use entry::ModelEntry;

/// The families, each with the modules whose `MODELS` it has: from this list come the public modules and the registry.
macro_rules! families {
    ($($family:ident: $($module:path),+;)+) => {
        $(pub mod $family;)+

        /// The models of each family, in the order in which they are listed.
        pub(crate) static FAMILIES: &[&[ModelEntry]] = &[$($({
            use $module as models;
            models::MODELS
        }),+),+];
    };
}
families! {
    sequential: sequential;
    vgg: vgg;
    resnet: resnet::basic, resnet::v1, resnet::v2, resnet::cifar;
}
