"""Writes full golden files of Keras' ResNets: `python3 gen_keras.py FOLDER [MODEL...]`. See README.md."""

import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf

from formula import stats, tensor, u

keras.config.set_floatx("float64")
# Image side, batch and classes.
MODELS = {"resnet50": (keras.applications.ResNet50, 64, 2, 10), "resnet101": (keras.applications.ResNet101, 64, 2, 10),
          "resnet152": (keras.applications.ResNet152, 64, 2, 10)}
KINDS = {"gamma": "scale", "beta": "shift", "moving_mean": "mean", "moving_variance": "variance", "bias": "bias",
         "kernel": "weight"}


def fill(model):
    head = [layer.name for layer in model.layers if layer.weights][-1]
    for weight in model.weights:
        layer, leaf = weight.path.rsplit("/", 1)
        kind = "head" if (layer, leaf) == (head, "kernel") else KINDS[leaf]
        shape = tuple(weight.shape)
        weight.assign(tensor(weight.path, shape, kind, int(np.prod(shape[:-1]))))


class Pvlu(keras.layers.Layer):
    def __init__(self, site, channels, **options):
        super().__init__(**options)
        # In lists, which Keras does not search for weights.
        self.of_site = [(tf.Variable(tensor(f"act{site}.{name}", (channels,), name)),) for name in ["alpha", "beta"]]

    def call(self, x):
        (alpha,), (beta,) = self.of_site
        return tf.nn.relu(x) + alpha * tf.sin(beta * x)


def swapped(model):
    """The model with PVLU instead of ReLU, and the activations in forward order."""
    sites = {}

    def clone(layer):
        if not isinstance(layer, keras.layers.Activation):
            return layer.__class__.from_config(layer.get_config())
        assert layer.activation is keras.activations.relu
        sites[layer.name] = Pvlu(order.index(layer.name), int(layer.output.shape[-1]), name=layer.name)
        return sites[layer.name]

    order = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy, [sites[name] for name in order]


def passed(model, sites, images, grad_output, training):
    alpha, beta = ([site.of_site[at][0] for site in sites] for at in [0, 1])
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model(images, training=training)
        loss = tf.reduce_sum(logits * grad_output)
    of_images, of_alpha, of_beta, of_weights = tape.gradient(
        loss, [images, alpha, beta, [weight.value for weight in weights]])
    return {
        "logits": logits.numpy().reshape(-1).tolist(),
        "input_grad": stats(of_images.numpy().transpose(0, 3, 1, 2)),
        "alpha_grad": [stats(gradient) for gradient in of_alpha],
        "beta_grad": [stats(gradient) for gradient in of_beta],
        "param_grad": {weight.path: stats(gradient) for weight, gradient in zip(weights, of_weights)},
    }


def golden(name):
    ctor, side, batch, classes = MODELS[name]
    keras.backend.clear_session()
    model = ctor(weights=None, input_shape=(side, side, 3), classes=classes, classifier_activation=None)
    fill(model)
    images = tensor("input", (batch, 3, side, side), "input").transpose(0, 2, 3, 1)
    images = tf.constant(np.ascontiguousarray(images))
    # The name that the files were made with: the numbers are drawn from it.
    grad_output = tf.constant(u("cotangent", batch * classes).reshape(batch, classes))
    copy, sites = swapped(model)
    names = [weight.path for weight in model.weights]
    assert [weight.path for weight in copy.weights] == names
    found = {
        "model": f"keras_{name}",
        "source": f"keras {keras.__version__}, tensorflow {tf.__version__}",
        "input": {"shape": [batch, 3, side, side], "layout": "NCHW"},
        "classes": classes,
        "params": model.count_params(),
        "names": names,
        "shapes": [list(weight.shape) for weight in model.weights],
        "sites": [{"site": at, "channels": site.of_site[0][0].shape[0]} for at, site in enumerate(sites)],
        "relu_eval_logits": model(images, training=False).numpy().reshape(-1).tolist(),
        "pvlu_eval": passed(copy, sites, images, grad_output, False),
        "pvlu_train": passed(copy, sites, images, grad_output, True),
    }
    running = [weight for weight in copy.weights if "moving" in weight.path]
    found["pvlu_train"]["running"] = {weight.path: stats(weight.numpy()) for weight in running}
    return found


for name in sys.argv[2:] or MODELS:
    found = golden(name)
    (pathlib.Path(sys.argv[1]) / f"keras_{name}.json").write_text(json.dumps(found))
    print(name, found["params"], len(found["sites"]), flush=True)
