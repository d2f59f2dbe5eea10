"""Cuts full golden files: `python3 cut.py FOLDER` reads those that are in FOLDER and writes those of this folder."""
import json, pathlib, sys

LOGITS = 10  # kept of each image
PARAMETERS, RUNNING, SITES = 6, 3, 2
# Whether gradients are kept too: those of VGG take long.
MODELS = {"keras_resnet50": True, "keras_resnet101": True, "keras_resnet152": True, "keras_resnet50v2": True,
          "keras_vgg16": False, "torchvision_resnet18": True, "torchvision_resnet34": True,
          "torchvision_resnet50": True, "torchvision_resnet152": True, "torchvision_vgg11": False,
          "torchvision_vgg11_bn": True, "torchvision_vgg13": True, "torchvision_vgg13_bn": False}


def spread(items, count):
    """`count` of the items, the first and the last among them."""
    return [items[i * (len(items) - 1) // (count - 1)] for i in range(count)]


def mean(stats):
    count = 1
    for size in stats["shape"]:
        count *= size
    return stats["abs_sum"] / count


def cut_logits(logits, classes):
    kept = min(LOGITS, classes)
    return [logits[row + k] for row in range(0, len(logits), classes) for k in range(kept)]


def cut_sites(stats):
    kept = spread(range(len(stats)), SITES)
    return [s if i in kept else None for i, s in enumerate(stats)]


def cut_pass(full, classes):
    # Without the gradients that are zero but for rounding: what they are compared with is the median of a whole file.
    grads = full["param_grad"]
    median = sorted(map(mean, grads.values()))[len(grads) // 2]
    names = [name for name, stats in grads.items() if mean(stats) >= 1e-3 * median]
    cut = {
        "logits": cut_logits(full["logits"], classes),
        "input_grad": full["input_grad"],
        "alpha_grad": cut_sites(full["alpha_grad"]),
        "beta_grad": cut_sites(full["beta_grad"]),
        "param_grad": {name: grads[name] for name in spread(names, PARAMETERS)},
    }
    if "running" in full:
        cut["running"] = {name: full["running"][name] for name in spread(list(full["running"]), RUNNING)}
    return cut


for model, gradients in MODELS.items():
    path = pathlib.Path(sys.argv[1]) / f"{model}.json"
    if not path.exists():
        print("not cut, since it is not there:", path)
        continue
    full = json.loads(path.read_text())
    classes = full["classes"]
    cut = {key: full[key] for key in ["model", "source", "input", "classes"]}
    cut["logits_kept"] = min(LOGITS, classes)
    cut["relu_eval_logits"] = cut_logits(full["relu_eval_logits"], classes)
    if gradients:
        passes = [name for name in ["pvlu_eval", "pvlu_train"] if name in full]
        cut.update({name: cut_pass(full[name], classes) for name in passes})
    text = json.dumps(cut, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
    pathlib.Path(__file__).with_name(f"{model}.json").write_text(text + "\n")
