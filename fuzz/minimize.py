"""Makes the corpus checked in of the seeds and the best of what fuzzing found: python3 minimize.py TARGET BYTES

The seeds, which have names, stay. Of target/corpus/TARGET those inputs are added, under the hash of their bytes, that reach
most new edges of code a byte, until the corpus has BYTES. Needs what ./run built.
"""

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

target, limit = sys.argv[1], int(sys.argv[2])
here = pathlib.Path(__file__).parent
corpus = here / "corpus" / target
(program,) = here.glob(f"target/*/release/{target}")

found = {}
for path in sorted(corpus.iterdir()) + sorted((here / "target/corpus" / target).iterdir()):
    data = path.read_bytes()
    seed = path.parent == corpus and not re.fullmatch("[0-9a-f]{40}", path.name)
    found.setdefault(hashlib.sha1(data).hexdigest(), (data, path.name if seed else None))

# LibFuzzer writes the edges of each input into the control file of a merge; the merge itself is not wanted.
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for name, (data, _) in found.items():
        (folder / "in" / name).write_bytes(data)
    control = folder / "control"
    subprocess.run([program, "-merge=1", "-use_counters=0", f"-merge_control_file={control}", folder / "out", folder / "in"],
                   check=True, stderr=subprocess.DEVNULL)
    lines = control.read_text().splitlines()
paths = [pathlib.Path(line).name for line in lines[2:2 + int(lines[0])]]
edges = {}
for line in lines:
    if line.startswith("COV "):
        number, *rest = line.split()[1:]
        edges[paths[int(number)]] = set(rest)

kept = [name for name, (_, seed) in found.items() if seed]
reached = set().union(*(edges.get(name, ()) for name in kept))
size = sum(len(found[name][0]) for name in kept)
while True:
    gain = {name: len(new - reached) / len(found[name][0]) for name, new in edges.items() if found[name][0]
            and size + len(found[name][0]) <= limit}
    best = max(gain, key=gain.get, default=None)
    if best is None or not gain[best]:
        break
    kept.append(best)
    reached |= edges[best]
    size += len(found[best][0])

for path in corpus.iterdir():
    path.unlink()
for name in kept:
    data, seed = found[name]
    (corpus / (seed or name)).write_bytes(data)
print(f"{len(kept)} inputs, {size} bytes, {len(reached)} of {len(set().union(*edges.values()))} edges")
