#!/usr/bin/env python3
"""Imports between the files of a crate: circles of files, and arrows that go up from a lower floor.

An arrow goes from a file to the file whose item a `use` or a path in it names (`crate::a::b::Item`, `super::Item`).
What a module hands on (`mod a; pub use a::A;`) is drawn to where it stands, and handing on is no arrow. Test modules
are left out.

    .ci/imports.py bin/src zoo/src src

Exits with 1 if there is an upward arrow, or a file in a circle that was not accepted.
"""

import re
import sys
from pathlib import Path

USE = r"(?m)^\s*(pub(?:\([a-z]+\))?\s+)?use\s+([^;]+);"

# The files that may be in a circle, one: registers and the element type that they hold, each an associated type of the
# other.
ACCEPTED = {"src": (("kernel", "cpu", "simd"), ("kernel", "element"))}

# Floors of the programs: what may import only what stands before it.
FLOORS = {"bin/src": ["common", "zoo", "reproduce"]}


def modules(root):
    """The file of each module path, as a tuple of names."""
    found = {}
    for file in sorted(root.rglob("*.rs")):
        path = file.relative_to(root)
        if "tests" in path.parts or path.name in ("tests.rs", "testing.rs") or path.parts[0] == "bin":
            continue
        parts = list(path.with_suffix("").parts)
        if parts[-1] in ("mod", "lib"):
            parts.pop()
        found[tuple(parts)] = file
    return found


def without_tests(text):
    text = re.sub(r"(?m)^\s*//.*$", "", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return re.split(r"(?m)^#\[cfg\((?:all\()?test\b.*\]\n(?:pub(?:\([a-z]+\))? )?mod tests \{", text)[0]


def expand(tree):
    """Paths of a use tree: `a::{b, c::{d, e}}` is a::b, a::c::d, a::c::e."""
    tree = tree.strip()
    if "{" not in tree:
        return [re.sub(r"\s+as\s+\w+$", "", tree)]
    head, rest = tree.split("{", 1)
    rest = rest[: rest.rindex("}")]
    parts, depth, start = [], 0, 0
    for at, char in enumerate(rest):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(rest[start:at])
            start = at + 1
    parts.append(rest[start:])
    return [head.strip() + path for part in parts if part.strip() for path in expand(part)]


def uses(text):
    """Paths that are imported, those that are handed on by `pub use`, and those within expressions and types."""
    imported, handed_on = [], []
    for public, tree in re.findall(USE, text):
        (handed_on if public else imported).extend(expand(tree))
    # `child::function()` too, which `resolve` takes for a path where there is such a child.
    within = re.findall(r"(?<![\w:])(?:\w+)(?:::\w+)+", re.sub(USE, "", text))
    return imported, handed_on, within


def resolve(path, module, names, hands_on):
    """The module that a path leads to, through what modules on the way hand on; None outside of the crate."""
    steps = path.replace(" ", "").split("::")
    at = module
    if steps[0] == "crate":
        at, steps = (), steps[1:]
    elif steps[0] == "super":
        while steps and steps[0] == "super":
            at, steps = at[:-1], steps[1:]
    elif steps[0] == "self":
        steps = steps[1:]
    elif at + (steps[0],) not in names and (at, steps[0]) not in hands_on:
        return None
    for step in steps:
        if at + (step,) in names:
            at += (step,)
        elif (at, step) in hands_on:
            at = hands_on[at, step]
        else:
            break
    return at


def arrows(root):
    found = modules(root)
    texts = {module: without_tests(file.read_text()) for module, file in found.items()}
    hands_on = {}
    # Twice, for what is handed on from module to module.
    for _ in range(2):
        for module, text in texts.items():
            for path in uses(text)[1]:
                to = resolve(path, module, found, {key: at for key, at in hands_on.items() if key[0] != module})
                if to is not None and to != module:
                    hands_on[module, path.split("::")[-1]] = to
    edges = {}
    for module, text in texts.items():
        imported, _, within = uses(text)
        for path in imported + within:
            to = resolve(path, module, found, hands_on)
            if to is not None and to != module:
                edges.setdefault(module, set()).add(to)
    return found, edges


def circles(edges):
    """Strongly connected components of more than one file (Tarjan)."""
    index, low, stack, on, out = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in edges.get(v, ()):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = []
            while True:
                w = stack.pop()
                on.discard(w)
                part.append(w)
                if w == v:
                    break
            if len(part) > 1:
                out.append(sorted(part))

    sys.setrecursionlimit(10000)
    for v in list(edges):
        if v not in index:
            visit(v)
    return out


faults = 0
for name in sys.argv[1:] or ["bin/src", "zoo/src", "src"]:
    root = Path(name)
    found, edges = arrows(root)
    rings = circles(edges)
    print(f"{name}: {len(found)} files, {sum(map(len, edges.values()))} arrows, {len(rings)} circles of files")
    for ring in rings:
        print("  circle of", len(ring), ":", ", ".join("::".join(module) or "crate" for module in ring))
        for module in ring:
            inside = sorted("::".join(to) or "crate" for to in edges.get(module, ()) if to in ring)
            print("     ", "::".join(module) or "crate", "->", ", ".join(inside))
    floors = FLOORS.get(name, [])
    for module, targets in sorted(edges.items()):
        for to in sorted(targets):
            if module and to and module[0] in floors and to[0] in floors and module[0] != to[0]:
                if to[0] != "common":
                    print("  upward or sideways:", "::".join(module), "->", "::".join(to))
                    faults += 1
    accepted = ACCEPTED.get(name, ())
    faults += max(len(rings) - len(accepted[:1]), 0)
    faults += sum(not any(file[: len(place)] == place for place in accepted) for ring in rings for file in ring)
sys.exit(faults > 0)
