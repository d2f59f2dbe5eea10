//! What the layers of a network are called in the files of other frameworks.
//!
//! An architecture supplies one [`LayerNames`] for each of its convolutions, linear layers and batch norms, in the order of
//! a walk. What the tensors of a layer are called follows from their role and the framework; activations have no names
//! elsewhere, and are `act{site}` in ours.

/// One layer with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerNames {
    /// In a torchvision state dict, and in those that follow its conventions: `layer1.0.conv1`.
    pub torchvision: Option<String>,
    /// In timm's, where it has the model.
    pub timm: Option<String>,
    /// In `keras.applications`: `conv2_block1_1_conv`.
    pub keras: Option<String>,
    /// Position among the model's Keras layers, which numbers the layers of a `.weights.h5` file by class.
    pub keras_rank: usize,
    /// Other names that are taken for the torchvision one.
    pub aliases: &'static [&'static str],
    /// Whether it belongs to the head, which another class count replaces.
    pub head: bool,
    /// How its weight differs from what the layer's kind says.
    pub layout: WeightLayout,
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
    /// A layer of a model that only torch knows.
    pub fn torch(name: impl Into<String>) -> Self {
        Self { torchvision: Some(name.into()), ..Self::default() }
    }

    /// A layer of a model that only Keras knows.
    pub fn keras(name: impl Into<String>, rank: usize) -> Self {
        Self { keras: Some(name.into()), keras_rank: rank, ..Self::default() }
    }

    /// The same layer, under this name in timm.
    #[must_use]
    pub fn timm(self, name: impl Into<String>) -> Self {
        Self { timm: Some(name.into()), ..self }
    }

    /// The same layer, as part of the head.
    #[must_use]
    pub fn in_head(self) -> Self {
        Self { head: true, ..self }
    }
}
