"""Runs an ONNX file in onnxruntime: run.py MODEL INPUT OUTPUT SIZE..., tensors as f32 in the machine's order.

With the package onnx the file is checked, too.
"""

import sys

import numpy as np
import onnxruntime

model, source, target, *sizes = sys.argv[1:]
try:
    import onnx
except ImportError:
    pass
else:
    onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
images = np.fromfile(source, dtype=np.float32).reshape([int(size) for size in sizes])
(logits,) = session.run(["logits"], {"input": images})
logits.astype(np.float32).tofile(target)
