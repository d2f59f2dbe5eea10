//! Names of a network's layers in the files of other frameworks.
//!
//! An architecture supplies one [`LayerNames`] for each of its convolutions, linear layers and batch norms, in the
//! order of a visit. The names of a layer's tensors follow from their kind and the framework; activations have no names
//! elsewhere, and are `act{site}` in files saved here.

use std::collections::BTreeMap;

use crate::source::Source;

/// Names, part and weight layout of one layer with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerNames {
    /// Name at each source that has names of its own and has the model.
    pub called: BTreeMap<Source, String>,
    /// Position among the model's Keras layers, which numbers the layers of a `.weights.h5` file by class.
    pub keras_rank: usize,
    /// Other names that are accepted for the layer in the files of any source.
    pub aliases: &'static [&'static str],
    /// Part of the network that the layer is in.
    pub part: Part,
    /// Layout of the layer's weight.
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
    /// The layout that follows from the framework and the kind of layer.
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

    /// The same layer, under this name in the files of a source and of those that follow its names. [`Source::Native`]
    /// is ignored: it has the names of the model's original.
    #[must_use]
    pub fn by(mut self, source: Source, name: impl Into<String>) -> Self {
        if let Some(source) = source.naming() {
            self.called.insert(source, name.into());
        }
        self
    }

    /// Name of the layer in the files of a source; `None` if that has no names for the model, and for
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

    /// Name of the Keras class of the layer, under which a `.weights.h5` numbers its layers. It is known by the layer's
    /// name: `keras.applications` names layers by their kind, and so do the heads that only this crate has.
    fn keras_class(&self) -> Option<&'static str> {
        let name = self.name_by(Source::Keras)?;
        Some(match name {
            _ if name.ends_with("bn") => "batch_normalization",
            _ if name.contains("conv") => "conv2d",
            _ => "dense",
        })
    }
}

/// The layers by the conventions of torch: where none of torch's sources has the model, under the names that its own
/// source gives them.
pub(crate) fn in_torch(names: &[LayerNames]) -> Vec<LayerNames> {
    let by_all = |source| names.iter().all(|layer: &LayerNames| layer.name_by(source).is_some());
    let Some(source) = Source::with_names().map(|(source, _)| source).find(|source| by_all(*source)) else {
        return names.to_vec();
    };
    let named = |layer: &LayerNames| match layer.name_by(source) {
        Some(name) => layer.clone().by(Source::Torchvision, name),
        None => layer.clone(),
    };
    names.iter().map(named).collect()
}

/// Names of the layers in each kind of file: those of each source that has names of its own, and a `.weights.h5`. The
/// names of a layer's tensors in a file begin with its name.
pub(crate) fn called(names: &[LayerNames]) -> Vec<Vec<Option<String>>> {
    let by = |source| names.iter().map(|layer| layer.name_by(source).map(str::to_owned)).collect();
    Source::with_names().map(|(source, _)| by(source)).chain([keras_counters(names)]).collect()
}

/// Names of the layers in a `.weights.h5`: `layers/conv2d_1/vars`, by their class and, from the second of a class on,
/// the number of those before it in Keras' order. `None` for layers that Keras does not have.
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
