//! Families of networks: a file of each has its architectures as types, their names, their cards and their entries in
//! the registry.

pub mod entry;
pub mod resnet;
pub mod sequential;
pub mod vgg;
