"""Tensors as functions of their names and positions, and in short. The formula is that of README.md."""

import numpy as np

U64 = np.uint64


def u(name, count):
    """`count` values in [-1, 1)."""
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = U64(hashed) + np.arange(1, count + 1, dtype=U64) * U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        z = z ^ (z >> U64(31))
    return (z >> U64(40)).astype(np.float64) / 2.0**23 - 1.0


def fan(values, gain, fan_in):
    return np.sqrt(gain / fan_in) * values


KINDS = {
    "weight": lambda values, fan_in: fan(values, 6.0, fan_in),
    "head": lambda values, fan_in: fan(values, 3.0, fan_in),
    "bias": lambda values, _: 0.1 * values,
    "scale": lambda values, _: 0.75 + 0.25 * values,
    "shift": lambda values, _: 0.1 * values,
    "mean": lambda values, _: 0.1 * values,
    "variance": lambda values, _: 1.0 + 0.5 * values,
    "alpha": lambda values, _: 0.2 * values,
    "beta": lambda values, _: 1.0 + 0.5 * values,
    "input": lambda values, _: values,
}


def tensor(name, shape, kind, fan_in=None):
    """The tensor of this name, rounded once to `f32`, as `f64`."""
    values = KINDS[kind](u(name, int(np.prod(shape))), fan_in)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def stats(values):
    values = np.asarray(values, dtype=np.float64)
    first = [float(value) for value in values.reshape(-1)[:8]]
    return {"shape": list(values.shape), "sum": float(values.sum()), "abs_sum": float(np.abs(values).sum()),
            "first": first}
