//! What the layers of a network are called in the files of other frameworks.
//!
//! An architecture supplies one [`LayerNames`] for each of its convolutions, linear layers and batch norms, in the
//! order of a visit. What the tensors of a layer are called follows from their kind and the framework; activations have
//! no names elsewhere, and are `act{site}` in ours.

use std::collections::BTreeMap;

use crate::source::Source;

/// One layer with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerNames {
    /// What it is called by each source that has names of its own, and has the model.
    pub called: BTreeMap<Source, String>,
    /// Position among the model's Keras layers, which numbers the layers of a `.weights.h5` file by class.
    pub keras_rank: usize,
    /// Other names that are taken for it, whatever the source.
    pub aliases: &'static [&'static str],
    /// Which part of the network it is in.
    pub part: Part,
    /// How its weight differs from what the layer's kind says.
    pub layout: WeightLayout,
}

/// Parts of a network, by what a file may lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The trunk, which every file has.
    #[default]
    Trunk,
    /// The head but for its last layer. A file without a head, as Keras calls it `notop`, lacks it.
    Head,
    /// The last layer of the head, which another number of classes replaces.
    Classifier,
}

/// Layouts of a weight that do not follow from the framework and the kind of layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightLayout {
    /// As usual.
    #[default]
    Usual,
    /// A linear layer on a flattened feature map: its inputs are in the order C, H, W here and in torch, and H, W, C in
    /// Keras; timm stores it as a convolution of this size.
    FlattenedImage {
        /// Channels of the feature map.
        channels: usize,
        /// Rows and columns of the feature map.
        side: usize,
    },
}

impl LayerNames {
    /// A layer of a model that only torch knows: in a torchvision state dict, and in those that follow its conventions,
    /// `layer1.0.conv1`.
    pub fn torch(name: impl Into<String>) -> Self {
        Self::default().by(Source::Torchvision, name)
    }

    /// A layer of a model that only Keras knows: in `keras.applications`, `conv2_block1_1_conv`.
    pub fn keras(name: impl Into<String>, rank: usize) -> Self {
        Self { keras_rank: rank, ..Self::default().by(Source::Keras, name) }
    }

    /// The same layer, under this name in timm.
    #[must_use]
    pub fn timm(self, name: impl Into<String>) -> Self {
        self.by(Source::Timm, name)
    }

    /// The same layer, under this name in the files of a source and of those that follow its names. Of
    /// [`Source::Native`] there is nothing to say: it has those of the model's original.
    #[must_use]
    pub fn by(mut self, source: Source, name: impl Into<String>) -> Self {
        if let Some(source) = source.naming() {
            self.called.insert(source, name.into());
        }
        self
    }

    /// What it is called in the files of a source; `None` where that has no names for the model, and of
    /// [`Source::Native`], which has those of the model's original.
    #[must_use]
    pub fn name_by(&self, source: Source) -> Option<&str> {
        self.called.get(&source.naming()?).map(String::as_str)
    }

    /// The same layer, as part of the head.
    #[must_use]
    pub fn in_head(self) -> Self {
        Self { part: Part::Head, ..self }
    }

    /// The same layer, as the last of the head.
    #[must_use]
    pub fn as_classifier(self) -> Self {
        Self { part: Part::Classifier, ..self }
    }

    /// What Keras' class of the layer is called where it numbers them. `keras.applications` names its layers by what
    /// they are, and so do the heads that are only ours.
    fn keras_class(&self) -> Option<&'static str> {
        let name = self.name_by(Source::Keras)?;
        Some(match name {
            _ if name.ends_with("bn") => "batch_normalization",
            _ if name.contains("conv") => "conv2d",
            _ => "dense",
        })
    }
}

/// What the layers are called in each way: by each source that has names of its own, and in a `.weights.h5`. The names
/// of a layer's tensors in a file begin with it.
pub(crate) fn called(names: &[LayerNames]) -> Vec<Vec<Option<String>>> {
    let by = |source| names.iter().map(|layer| layer.name_by(source).map(str::to_owned)).collect();
    Source::with_names().map(|(source, _)| by(source)).chain([keras_counters(names)]).collect()
}

/// What the layers are called in a `.weights.h5`: `layers/conv2d_1/vars`, by their class and, from the second of a
/// class on, how many of it come before in Keras' order. `None` for layers that Keras does not have.
pub(crate) fn keras_counters(names: &[LayerNames]) -> Vec<Option<String>> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&layer| names[layer].keras_rank);
    let mut counts = BTreeMap::new();
    let mut counters = vec![None; names.len()];
    for layer in order {
        counters[layer] = names[layer].keras_class().map(|class| {
            let count: &mut usize = counts.entry(class).or_default();
            *count += 1;
            if *count == 1 { format!("layers/{class}/vars") } else { format!("layers/{class}_{}/vars", *count - 1) }
        });
    }
    counters
}
