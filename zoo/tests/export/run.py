"""Runs an ONNX file: run.py MODEL INPUT OUTPUT SIZE..., tensors as f32 in the machine's order.

PVLU_RUNTIME names what runs it: onnxruntime, the default, openvino or tract, each a package of PyPI. With the package
onnx the file is checked, too.
"""

import os
import sys

import numpy as np


def onnxruntime(model, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": images})[0]


def openvino(model, images):
    import openvino

    # Where the processor has bf16, it is what OpenVINO computes in unless it is told otherwise.
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"input": images})["logits"]


def tract(model, images):
    import tract

    runnable = tract.onnx().load(model).into_model().into_runnable()
    return runnable.run([images])[0].to_numpy()


def main():
    model, source, target, *sizes = sys.argv[1:]
    try:
        import onnx
    except ImportError:
        pass
    else:
        onnx.checker.check_model(model, full_check=True)
    images = np.fromfile(source, dtype=np.float32).reshape([int(size) for size in sizes])
    run = {run.__name__: run for run in (onnxruntime, openvino, tract)}
    logits = run[os.environ.get("PVLU_RUNTIME", "onnxruntime")](model, images)
    logits.astype(np.float32).tofile(target)


main()
