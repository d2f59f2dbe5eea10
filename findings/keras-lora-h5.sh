#!/usr/bin/env bash
# Keras 3.15.1 (PyPI): a layer with LoRA adapters is saved merged in `.weights.h5` and `.keras`, and unmerged in a legacy
# whole-model `.h5`.
#
# Guess, written down before: merged in all three, as `Dense.save_own_variables` merges.
# Seen: `.weights.h5` and the weights in `.keras` hold one kernel, W + scale A B; `model.save("m.h5")` holds W under
# `kernel`, and A and B beside it as `lora_kernel_a` and `lora_kernel_b`.
# Who reads `kernel` of such a `.h5` alone has the weights from before the tuning, with the right shape and no error.
#
# Prints what each file holds, and fails if one holds something else. Needs python3 with venv, and PyPI.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 h5py==3.16.0
KERAS_BACKEND=jax venv/bin/python - 2>/dev/null <<'PYTHON'
import io
import sys
import zipfile

import h5py
import keras
import numpy as np

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
layer = model.layers[0]
layer.enable_lora(2)
random = np.random.default_rng(0)
a, b = (random.normal(size=part.shape).astype("float32") for part in (layer.lora_kernel_a, layer.lora_kernel_b))
layer.lora_kernel_a.assign(a)
layer.lora_kernel_b.assign(b)
merged = np.array(layer.kernel)
plain = np.array(layer._kernel)
assert np.abs(merged - plain).max() > 0.1

model.save_weights("m.weights.h5")
model.save("m.keras")
model.save("m.h5")


def kernels(file):
    """Every matrix of four rows and three columns in an HDF5 file, and the names of its datasets."""
    found, names = [], []

    def look(name, item):
        if isinstance(item, h5py.Dataset):
            names.append(name.rsplit("/", 1)[-1])
            if item.shape == (4, 3):
                found.append(item[()])

    with h5py.File(file) as opened:
        opened.visititems(look)
    return found, names


inner = io.BytesIO(zipfile.ZipFile("m.keras").read("model.weights.h5"))
as_expected = True
for name, file, expected in [(".weights.h5", "m.weights.h5", "merged"), (".keras", inner, "merged"), (".h5", "m.h5", "plain")]:
    found, names = kernels(file)
    is_ = lambda value: len(found) == 1 and np.allclose(found[0], value, atol=1e-6)
    holds = "merged" if is_(merged) else "plain" if is_(plain) else "neither"
    print(f"{name}: {holds} kernel; datasets {', '.join(sorted(names))}")
    as_expected &= holds == expected and ("lora_kernel_a" in names) == (expected == "plain")
print("keras", keras.__version__)
sys.exit(not as_expected)
PYTHON
