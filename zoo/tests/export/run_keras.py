"""Runs what was written for Keras: run_keras.py FILE FUNCTION CLASSES INPUT OUTPUT AGAIN SIZE...

FILE is a program, run by itself first, or the weights of keras.applications.FUNCTION for images of this size. INPUT
and OUTPUT are tensors as f32 in the machine's order, images as [batch, channels, height, width]. Keras' own
save_weights writes the weights again as AGAIN.
"""

import importlib.util
import subprocess
import sys

import keras
import numpy as np

file, function, classes, source, target, again, *sizes = sys.argv[1:]
images = np.fromfile(source, dtype=np.float32).reshape([int(size) for size in sizes]).transpose(0, 2, 3, 1)
if file.endswith(".py"):
    ran = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    print(ran.stdout, end="")
    spec = importlib.util.spec_from_file_location("exported", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.load()
    # Keras' own way gives the same.
    other = module.build()
    other.load_weights(module.WEIGHTS)
    assert all(np.array_equal(one, two) for one, two in zip(model.get_weights(), other.get_weights(), strict=True))
    # A model that Keras saves whole has all that it needs.
    if len(model.layers) < 100:
        whole = again.removesuffix(".weights.h5") + ".keras"
        model.save(whole)
        model = keras.models.load_model(whole)
else:
    build = getattr(keras.applications, function)
    model = build(weights=None, classes=int(classes), input_shape=images.shape[1:], classifier_activation=None)
    model.load_weights(file)
logits = keras.ops.convert_to_numpy(model(np.ascontiguousarray(images), training=False))
logits.astype(np.float32).tofile(target)
model.save_weights(again)
