//! Names of layers and of files, and the text of the Python file.

use std::collections::BTreeSet;

use dfdx::prelude::{Const, Cpu, DeviceBuildExt};
use pvlu::activation::{BUILT_IN, Pvlu};
use pvlu::layer::builder::{
    Act, Add, BatchNorm2D, Branches, Conv2D, Flatten2D, GlobalAvgPool2D, Identity, Linear, MaxPool2D, NormedConv2D,
    Residual,
};

use super::activation::class;
use super::*;
use crate::model::Classifier;
use crate::weights::{MAX_STRINGS, keras_class};

/// The function of a network that builds it.
fn built(model: &dyn Model) -> Vec<String> {
    let (height, width) = model.image();
    let graph = Graph::of(model.net(), Extent::image(model.channels(), height, width)).unwrap();
    let network = Network::of(&graph, model.net(), &Names::new()).unwrap();
    let about = About {
        name: "a network",
        stem: "net",
        image: [height, width, model.channels()],
        classes: model.classes(),
        metadata: &BTreeMap::new(),
        labels: None,
        logits: &[0.5],
        tolerance: TOLERANCE,
    };
    let text = code::text(&network, &about);
    let lines = text.lines().skip_while(|line| !line.contains("layers.Input(IMAGE)")).skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim_start().to_owned()).collect()
}

#[test]
fn a_network_is_built_layer_by_layer_in_variables_that_are_used_again() {
    type Body = Residual<(NormedConv2D<Conv2D<8, 8, 3, 1, 1, false>, BatchNorm2D<8>>, Act<Pvlu, 8>)>;
    type Net = (Conv2D<3, 8, 3, 2, 1>, Body, MaxPool2D<3, 2, 1>, GlobalAvgPool2D, Linear<8, 10>);
    let dev = Cpu::default();
    let model = Classifier::new(dev.build_module::<Net, f32>(), Const::<8>, Const::<8>);
    let expected = [
        "x = layers.ZeroPadding2D(1)(inputs)",
        "x = layers.Conv2D(8, 3, strides=2, name=\"0\")(x)",
        "y = layers.Conv2D(8, 3, padding=\"same\", use_bias=False, name=\"1.main.0.conv\")(x)",
        "y = layers.BatchNormalization(epsilon=1e-5, name=\"1.main.0.norm\")(y)",
        "y = PVLU(name=\"1.main.1\")(y)",
        "x = layers.Add()([x, y])",
        "x = InfinityPadding2D(1)(x)",
        "x = layers.MaxPooling2D(3, strides=2)(x)",
        "x = layers.GlobalAveragePooling2D()(x)",
        "x = layers.Dense(10, name=\"4\")(x)",
        "return keras.Model(inputs, x, name=\"a_network\")",
    ];
    assert_eq!(built(&model), expected);
}

#[test]
fn a_flattened_map_that_is_not_of_a_linear_layer_alone_keeps_the_order_of_the_network() {
    type Both = (Branches<(Identity, Act<Pvlu, 12>)>, Add, Linear<12, 2>);
    let dev = Cpu::default();
    let plain = dev.build_module::<(Flatten2D<3, 2, 2, 12>, Linear<12, 2>), f32>();
    let both = dev.build_module::<(Flatten2D<3, 2, 2, 12>, Both), f32>();
    let plain = built(&Classifier::new(plain, Const::<2>, Const::<2>));
    assert_eq!(plain[0], "x = layers.Flatten()(inputs)");
    let both = built(&Classifier::new(both, Const::<2>, Const::<2>));
    assert_eq!(both[..2], ["x = layers.Permute((3, 1, 2))(inputs)", "x = layers.Flatten()(x)"]);
}

#[test]
fn every_built_in_activation_has_a_class_whose_name_in_a_file_is_its_own() {
    for definition in BUILT_IN {
        let class = class(definition, None).unwrap();
        assert_eq!(keras_class(&class.name), definition.name());
        for param in definition.params().iter() {
            assert!(class.text.contains(&format!("store[\"{}\"] = self.{}", param.name, param.name)), "{}", class.text);
        }
    }
    let pvlu = class(pvlu::activation::find("pvlu").unwrap(), None).unwrap().text;
    assert!(pvlu.contains("return ops.relu(x) + self.alpha * ops.sin(x * self.beta)"), "{pvlu}");
    assert!(pvlu.contains("def __init__(self, alpha=0.5, beta=1.0, **kwargs):"), "{pvlu}");
}

#[test]
fn a_formula_may_name_its_parameters_after_anything_in_python() {
    let text = "f = lambda*x + self*ops; lambda = 1; self = 2; fixed ops = 3";
    let class = class(pvlu::activation::find(text).unwrap(), Some(2)).unwrap();
    assert_eq!(class.name, "Formula2");
    for line in [
        "def __init__(self, param_lambda=1.0, param_self=2.0, param_ops=3.0, **kwargs):",
        "initializer=keras.initializers.Constant(self.param_ops_start), trainable=False, name=\"ops\"",
        "return self.param_self * self.param_ops + self.param_lambda * x",
        "store[\"lambda\"] = self.param_lambda",
    ] {
        assert!(class.text.contains(line), "{line}\n{}", class.text);
    }
}

#[test]
fn the_weights_of_a_program_are_beside_it() {
    let of = |path: &str| files(Path::new(path)).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    assert_eq!(of("a/b.c.py"), ["a/b.c.py", "a/b.c.weights.h5"]);
    assert_eq!(of("b.weights.h5"), ["b.weights.h5"]);
}

#[cfg(feature = "registry")]
mod of_the_registry {
    use super::*;
    use crate::registry::{Options, Start, find, models};

    #[test]
    fn the_models_that_keras_has_are_those_with_published_weights_of_keras() {
        let has = |entry: &&crate::registry::ModelEntry| {
            entry.card().is_some_and(|card| card.weights.iter().any(|weights| weights.source == Source::Keras))
        };
        let published: BTreeSet<&str> = models().iter().filter(has).map(|entry| entry.name).collect();
        assert_eq!(APPLICATIONS.map(|(name, _)| name).into_iter().collect::<BTreeSet<_>>(), published);
    }

    /// Keras counts the layers of the generated network as those of its own model, so that a file of one is read as one
    /// of the other.
    #[test]
    fn a_program_counts_the_layers_of_each_model_as_keras_own_does() {
        for (name, function) in APPLICATIONS {
            let entry = find(name).unwrap();
            let options = Options { activation: "relu", classes: 10, image: None, weights: Start::Unfilled };
            let model = entry.build(&options).unwrap();
            let names = entry.names(model.image());
            assert_eq!(application(model.as_ref(), name, &names), Some(function));
            let path = Path::new("a.weights.h5");
            let own = of_application(model.as_ref(), &names, path, BTreeMap::new()).unwrap();
            let (height, width) = model.image();
            let graph = Graph::of(model.net(), Extent::image(3, height, width)).unwrap();
            let network = Network::of(&graph, model.net(), &names_of(model.as_ref(), &names).unwrap()).unwrap();
            let generated = of_network(&network, BTreeMap::new());
            assert_eq!(generated.names, own.names, "{name}");
            assert_eq!(generated.tensors.len(), own.tensors.len());
            for (path, stored) in &generated.tensors {
                let other = &own.tensors[path];
                assert_eq!((&stored.dataset, &stored.shape), (&other.dataset, &other.shape), "{name} {path}");
            }
        }
    }

    #[test]
    fn what_a_file_says_of_the_model_is_as_long_as_is_read_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let entry = find("cifar_resnet20").unwrap();
        let model = crate::registry::build("cifar_resnet20", "relu", 10, 0).unwrap();
        let path = folder.path().join("a.py");
        let save = |labels: &[String]| {
            let notes = Notes { labels: Some(labels), ..Notes::default() };
            save(&*model, entry.name, &entry.names((32, 32)), &path, &notes)
        };
        let mut labels: Vec<String> = (0..10).map(|class| class.to_string()).collect();
        // A byte more for each text; the names as JSON, without that of class 3.
        let facts = facts(&*model, entry.name, &Notes::default());
        let of_others = facts.values().map(|text| text.len() + 1).sum::<usize>() + 9 * 3 + 2 + 9 + 2 + 1;
        labels[3] = "x".repeat(MAX_STRINGS - of_others);
        save(&labels).unwrap();
        let weights = path.with_extension(WEIGHTS);
        let said = crate::checkpoint::describe(&crate::weights::TensorFile::open(&weights).unwrap()).unwrap();
        assert_eq!(said.labels.as_deref(), Some(&labels[..]));
        for path in [&path, &weights] {
            std::fs::remove_file(path).unwrap();
        }
        labels[3].push('x');
        let error = save(&labels).unwrap_err().to_string();
        assert!(error.contains("most of it in pvlu_zoo.labels, has 2097153 bytes"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
