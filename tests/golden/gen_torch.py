"""Writes full golden files of torchvision's models: `python3 gen_torch.py FOLDER [MODEL...]`. See README.md."""

import json
import pathlib
import sys

import numpy as np
import torch
import torchvision
from torch import nn

from formula import stats, tensor, u

# Image side, batch and classes. Four images for ResNet-152: on the statistics of two, rounding to `f32` alone moves
# torch's own logits by half of what is tolerated.
MODELS = {"vgg11": (224, 1, 10), "vgg11_bn": (224, 2, 10), "vgg13": (224, 1, 10), "vgg13_bn": (224, 2, 10),
          "resnet18": (64, 4, 1000), "resnet34": (64, 2, 10), "resnet50": (64, 4, 1000), "resnet152": (64, 4, 10)}
NORM = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}


def fill(model):
    """Weights by their names, in double precision."""
    modules = dict(model.named_modules())
    head = [name for name, module in modules.items() if isinstance(module, nn.Linear)][-1]
    state = {}
    for name, value in model.state_dict().items():
        layer, leaf = name.rsplit(".", 1)
        if leaf == "num_batches_tracked":
            state[name] = value
            continue
        if isinstance(modules[layer], nn.BatchNorm2d):
            kind = NORM[leaf]
        elif leaf == "bias":
            kind = "bias"
        else:
            kind = "head" if layer == head else "weight"
        fan_in = int(np.prod(value.shape[1:]))
        state[name] = torch.from_numpy(tensor(name, tuple(value.shape), kind, fan_in))
    model.double().load_state_dict(state)


class Sites:
    """Every call of an activation is a site of its own, in forward order, though torchvision's blocks call one module
    several times."""

    def __init__(self, model):
        self.channels, self.alpha, self.beta, self.swapped, self.next = [], [], [], False, 0
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.ReLU):
                    setattr(parent, name, Activation(self))

    def swap(self):
        self.swapped = True
        parameter = lambda site, name: torch.from_numpy(tensor(f"act{site}.{name}", (self.channels[site],), name))
        for site in range(len(self.channels)):
            self.alpha.append(parameter(site, "alpha").requires_grad_())
            self.beta.append(parameter(site, "beta").requires_grad_())

    def __call__(self, x):
        if not self.swapped:
            self.channels.append(x.shape[1])
            return torch.relu(x)
        site, self.next = self.next, (self.next + 1) % len(self.channels)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return torch.relu(x) + self.alpha[site].view(shape) * torch.sin(self.beta[site].view(shape) * x)


class Activation(nn.Module):
    def __init__(self, sites):
        super().__init__()
        self.call = sites.__call__

    def forward(self, x):
        return self.call(x)


def passed(model, sites, images, grad_output):
    images = images.clone().requires_grad_()
    model.zero_grad(set_to_none=True)
    for parameter in sites.alpha + sites.beta:
        parameter.grad = None
    logits = model(images)
    (logits * grad_output).sum().backward()
    return {
        "logits": logits.detach().flatten().tolist(),
        "input_grad": stats(images.grad),
        "alpha_grad": [stats(parameter.grad) for parameter in sites.alpha],
        "beta_grad": [stats(parameter.grad) for parameter in sites.beta],
        "param_grad": {name: stats(parameter.grad) for name, parameter in model.named_parameters()},
    }


def golden(name):
    side, batch, classes = MODELS[name]
    model = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    fill(model)
    sites = Sites(model)
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = torch.from_numpy(tensor("input", (batch, 3, side, side), "input"))
    # The name that the files were made with: the numbers are drawn from it.
    grad_output = torch.from_numpy(u("cotangent", batch * classes)).view(batch, classes)
    state = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    with torch.no_grad():
        relu = model(images)
    found = {
        "model": f"torchvision_{name}",
        "source": f"torchvision {torchvision.__version__}, torch {torch.__version__}",
        "input": {"shape": [batch, 3, side, side], "layout": "NCHW"},
        "classes": classes,
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "names": list(state),
        "shapes": [list(value.shape) for value in state.values()],
        "sites": [{"site": site, "channels": channels} for site, channels in enumerate(sites.channels)],
        "relu_eval_logits": relu.flatten().tolist(),
    }
    sites.swap()
    found["pvlu_eval"] = passed(model, sites, images, grad_output)
    if any(key.endswith("running_mean") for key in state):
        model.train()
        found["pvlu_train"] = passed(model, sites, images, grad_output)
        running = {key: value for key, value in model.state_dict().items() if "running" in key}
        found["pvlu_train"]["running"] = {key: stats(value) for key, value in running.items()}
    return found


for name in sys.argv[2:] or MODELS:
    found = golden(name)
    (pathlib.Path(sys.argv[1]) / f"torchvision_{name}.json").write_text(json.dumps(found))
    print(name, found["params"], len(found["sites"]), flush=True)
