"""Writes the first inputs of the corpora: small files of every structure that the readers know. Needs h5py and numpy."""

import json
import pathlib
import struct
import zlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent / "corpus"
for target in ["safetensors", "hdf5", "checkpoint", "data", "configuration", "metadata", "torch", "published", "shards"]:
    (HERE / target).mkdir(parents=True, exist_ok=True)


def safetensors(name, header, values=b""):
    header = header.encode()
    (HERE / "safetensors" / f"{name}_header").write_bytes(header)
    (HERE / "safetensors" / f"{name}_file").write_bytes(struct.pack("<Q", len(header)) + header + values)


safetensors("one", '{"a":{"dtype":"F32","shape":[2,8],"data_offsets":[0,64]}}', bytes(64))
safetensors("types", '{"__metadata__":{"k":"v"},"a":{"dtype":"F64","shape":[4],"data_offsets":[0,32]},'
            '"b":{"dtype":"F16","shape":[2,2],"data_offsets":[32,40]},"c":{"dtype":"BF16","shape":[4],"data_offsets":[40,48]},'
            '"d":{"dtype":"I64","shape":[],"data_offsets":[48,56]},"e":{"dtype":"U8","shape":[8,0,1],"data_offsets":[56,56]},'
            '"f":{"dtype":"F4","shape":[16],"data_offsets":[56,64]}}', bytes(64))
safetensors("sites", '{"__metadata__":{"pvlu_zoo.sites":"[\\"r\\",\\"l.0.act1\\"]"},"r.half_":{"dtype":"F32","shape":[8],'
            '"data_offsets":[0,32]},"l.0.act1.a":{"dtype":"F32","shape":[8],"data_offsets":[32,64]}}', bytes(64))


def hdf5(name, libver, fill, **options):
    with h5py.File(HERE / "hdf5" / name, "w", libver=libver, fs_strategy=None, **options) as f:
        fill(f)


def activations(f):
    """What export writes of a program for Keras: parameters by their names, and attributes about the model."""
    f.attrs["pvlu_zoo.model"] = ["vgg16"]
    f.attrs["pvlu_zoo.image"] = b"32x32"
    for i, site in enumerate(["act1", "act0"]):
        name = f"layers/pvlu_{i}/vars" if i else "layers/pvlu/vars"
        f.create_dataset(f"{name}/alpha", data=np.ones(2, "f4"))
        f[name].attrs["name"] = site
    f.create_group("layers/mish/vars").attrs["name"] = "act2"
    keras3(f)


def keras3(f, **options):
    f.create_dataset("layers/dense/vars/0", data=np.ones((6, 5), "f4"), **options)


def legacy(f, inner=""):
    root = f.create_group(inner) if inner else f
    root.attrs["layer_names"] = [b"a", b"b"]
    root.attrs["keras_version"] = b"2.2.4"
    a = root.create_group("a")
    a.attrs["weight_names"] = np.array([b"a/kernel:0", b"a/bias:0"])
    a.create_dataset("a/kernel:0", data=np.ones((2, 3), "f4"))
    a.create_dataset("a/bias:0", data=np.ones(3, ">f8"))
    b = root.create_group("b")
    b.attrs["weight_names"] = [b"b_W_1:0"]
    b.create_dataset("b_W_1:0", data=np.ones(2, "f2"))


def many(f):
    for i in range(40):
        f.create_dataset(f"layers/conv2d_{i}/vars/0", data=np.ones(2, "f4"))


def brain(f):
    keras3(f)
    f.create_dataset("layers/dense_1/vars/0", data=np.zeros(4, "V2")).attrs["dtype"] = "bfloat16"


for libver in ["earliest", "latest"]:
    hdf5(f"{libver}_contiguous", libver, keras3)
    hdf5(f"{libver}_chunked", libver, lambda f: keras3(f, chunks=(4, 2)))
    hdf5(f"{libver}_one_chunk", libver, lambda f: keras3(f, chunks=(6, 5)))
    hdf5(f"{libver}_packed", libver, lambda f: keras3(f, chunks=(4, 2), compression="gzip", shuffle=True, fletcher32=True))
    hdf5(f"{libver}_resizable", libver, lambda f: keras3(f, chunks=(4, 2), maxshape=(None, 5)))
    hdf5(f"{libver}_resizable_twice", libver, lambda f: keras3(f, chunks=(4, 2), maxshape=(None, None)))
    hdf5(f"{libver}_legacy", libver, legacy)
    hdf5(f"{libver}_whole_model", libver, lambda f: legacy(f, "model_weights"))
    hdf5(f"{libver}_brain", libver, brain)
    hdf5(f"{libver}_activations", libver, activations)
hdf5("latest_many", "latest", many)


def checkpoint(name, epochs, steps):
    """A training of the network in checkpoints.rs, with tensors of zeros."""
    trained = {"trunk.0.weight": 6, "trunk.0.bias": 2, "trunk.1.scale": 2, "trunk.1.shift": 2, "trunk.2.alpha": 2,
               "trunk.2.beta": 2, "head.1.weight": 20, "head.1.bias": 10}
    statistics = {"trunk.1.running_mean": 2, "trunk.1.running_var": 2}
    done = 3 * epochs + steps
    tensors = [("model." + path, size) for path, size in sorted({**trained, **statistics}.items())]
    if done:
        tensors += [(kind + path, size) for kind in ["first.", "second."] for path, size in sorted(trained.items())]
    values = bytes(4 * sum(size for _, size in tensors))
    measured = ["2", "0.5", "1", "2.25"]
    state = {
        "epochs": [{"epoch": epoch + 1, "learning_rate": "0.01", "train_loss": "2.5", "train_top1": "0.5",
                    "validation": measured, "test": measured, "seconds": "0.25"} for epoch in range(epochs)],
        "steps": steps, "learning_rate": "0.01" if steps else "0", "loss": "10" if steps else "0", "correct": steps,
        "images": 2 * steps, "seconds": "0.5" if steps else "0", "updates": {path: done for path in trained if done},
    }
    beside = {"pvlu_zoo.config": "{}"}
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    summed = text.encode() + b"".join(key.encode() + value.encode() for key, value in sorted(beside.items()))
    state["crc32"] = zlib.crc32(summed + values)
    header, end = {"__metadata__": {**beside, "pvlu_zoo.training": json.dumps(state, separators=(",", ":"))}}, 0
    for tensor, size in tensors:
        header[tensor] = {"dtype": "F32", "shape": [size], "data_offsets": [end, end + 4 * size]}
        end += 4 * size
    header = json.dumps(header, separators=(",", ":")).encode()
    (HERE / "checkpoint" / f"{name}_header").write_bytes(header)
    (HERE / "checkpoint" / f"{name}_file").write_bytes(struct.pack("<Q", len(header)) + header + values)


checkpoint("beginning", 0, 0)
checkpoint("first_epoch", 0, 2)
checkpoint("between", 1, 0)
checkpoint("second_epoch", 1, 3)
checkpoint("end", 2, 0)


def data(name, *files):
    """Files as `sets.rs` reads them: number of the name, kind, bytes."""
    (HERE / "data" / name).write_bytes(b"".join(bytes([number, kind, len(raw)]) + raw for number, kind, raw in files))


TEN, HUNDRED, CUT, FOLDER, LINK, RAW, PICKLED, IDX, TAR = range(9)
data("cifar10", (0, TEN, b"\1\2\x09"), (1, TEN, b"\3"), (2, TEN, b"\0"))
data("cifar100", (3, HUNDRED, b"\1\2\x13\x63"), (4, HUNDRED, b"\0\0"))
data("parent", (5, TEN, b"\1"), (6, TEN, b"\2"), (7, HUNDRED, b"\1\1"), (8, HUNDRED, b"\1\1"))
data("cut", (0, CUT, b"\1\2"), (2, TEN, b"\0"), (3, HUNDRED, b"\x14\1"), (4, RAW, b""))
PICKLE, GZIP = b"\x80\2}.", b"\x1f\x8b"
data("python", (9, RAW, PICKLE), (10, RAW, PICKLE), (11, RAW, PICKLE), (12, RAW, b"x"), (13, RAW, b"\x80\4"))
data("archives", (14, RAW, GZIP), (15, RAW, GZIP), (16, RAW, GZIP), (17, RAW, b"PK\3\4"), (18, RAW, b"PAR1"))
data("classes", (19, RAW, b"x"), (21, RAW, b"x"), (22, RAW, b"x"), (29, RAW, b"x"), (31, RAW, b"x"))
data("formats", (19, RAW, b"x"), (20, RAW, b"x"), (22, LINK, b""), (23, FOLDER, b""), (30, RAW, b"x"))
data("pickles", (9, PICKLED, b"\1\2"), (34, PICKLED, b"\3"), (11, PICKLED, b"\4"), (12, PICKLED, b"\5\6"))
data("keras", (33, PICKLED, b"\1"), (9, PICKLED, b"\1\x80"), (13, RAW, PICKLE))
data("tars", (15, TAR, b"\1\2\3"), (32, TAR, b"\2\4"), (14, TAR, b"\4\5"))
LABEL, IMAGE = b"\0\0\x08\1\0\0\0\1\5", b"\0\0\x08\3\0\0\0\1\0\0\0\x1c\0\0\0\x1c"
data("mnist", (36, IDX, IMAGE), (37, RAW, LABEL), (38, IDX, IMAGE), (39, RAW, LABEL))
data("parts", (24, RAW, b"x"), (25, RAW, b"x"), (26, RAW, b"x"), (27, RAW, b"x"), (28, RAW, b"x"))


# What whole models say of their layers, as Keras 2 and Keras 3 write it.
def config(name, **options):
    return {"name": name, **options}


WINDOW = dict(kernel_size=[3, 3], strides=[1, 1], padding="same", data_format="channels_last", activation="relu")
ROW = [("InputLayer", config("i", batch_shape=[None, 32, 32, 3])),
       ("ZeroPadding2D", config("p", padding=[[1, 1], [1, 1]])),
       ("Conv2D", config("block1_conv1", **WINDOW)),
       ("BatchNormalization", config("n", axis=[3], epsilon=1e-3, momentum=0.9)),
       ("ReLU", config("r", max_value=6.0)), ("Conv2D", config("block1_conv2", **{**WINDOW, "strides": 2})),
       ("MaxPooling2D", config("m", pool_size=[2, 2], strides=None, padding="valid")), ("Add", config("a")),
       ("Flatten", config("f")), ("Dropout", config("d")),
       ("Dense", config("head.0", activation={"class_name": "ReLU"})),
       ("Dense", config("head.2", activation="softmax"))]
BEFORE = {after["name"]: [before["name"]] for (_, before), (_, after) in zip(ROW, ROW[1:])}
BEFORE["a"] = ["m", "m"]


def node2(names):
    return [[[name, 0, 0, {"training": True}] for name in names]]


def node3(names):
    configs = [{"shape": [None, 4], "keras_history": [name, 0, 0]} for name in names]
    tensors = [{"class_name": "__keras_tensor__", "config": config} for config in configs]
    return [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {"training": None}}]


def model(node, end):
    layers = [{"class_name": kind, "name": c["name"], "config": c,
               "inbound_nodes": node(BEFORE[c["name"]]) if c["name"] in BEFORE else []} for kind, c in ROW]
    ends = {"input_layers": end("i"), "output_layers": end("head.2")}
    return {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}


ROWS = [{"class_name": kind, "config": c} for kind, c in ROW if kind != "Add"]
INNER = model(node3, lambda name: [name, 0, 0])
for name, value in {
    "keras2": model(node2, lambda name: [[name, 0, 0]]),
    "keras3": INNER,
    "sequential": {"class_name": "Sequential", "config": {"name": "s", "layers": ROWS}},
    "sequential_list": {"class_name": "Sequential", "config": ROWS[1:]},
    "nested": {"class_name": "Sequential", "config": {"layers": [ROWS[0], INNER, ROWS[-1]]}},
}.items():
    (HERE / "configuration" / name).write_text(json.dumps(value))

PREPROCESSING = ("input=32x32 fit=squash interpolation=bilinear channels=rgb divisor=255 mean=0.5,0.4,0.3 "
                 "std=0.2,0.2,0.2")
TUNING = {"version": "0.1.0", "earlier": 1, "activation_before": "relu", "loss": "cross_entropy", "optimizer": "adamw",
          "betas": [0.9, 0.999], "epsilon": 1e-8, "weight_decay": 0.0, "schedule": "cosine", "batch_size": 128,
          "augmentation": {"flip": True, "shift": 4}, "seed": 0, "train_images": 8, "test_images": 2,
          "phases": [{"train": ["head"], "epochs": 2, "learning_rate": 0.01}],
          "kept": {"phase": 0, "epoch": 2, "training_loss": 0.5}, "top1_before": 0.5, "top1": 1.0}
FROZEN = [{"part": "trunk", "kind": "weight", "state": "frozen", "tensors": 19, "elements": 270896}]
# What files saved here say of their models: model, activation, classes, image, preprocessing, labels, tuning, frozen.
for name, lines in {
    "cifar": ["cifar_resnet20", "relu", "10", "32x32", PREPROCESSING, '["cat","dog"]'],
    "bare": ["vgg16"],
    "tuned": ["cifar_resnet20", "pvlu", "2", "32x32", PREPROCESSING, "[]", json.dumps(TUNING), json.dumps(FROZEN)],
    "wrong": ["x", "y", "-1", "99999999999x0", "fit=crop:0", '["\\u001b[31m", 1]'],
}.items():
    (HERE / "metadata" / name).write_text("\n".join(lines))

for libver in ["earliest", "latest"]:
    hdf5(f"{libver}_user_block", libver, lambda f: keras3(f, chunks=(4, 2), compression="lzf"), userblock_size=512)


def whole(f):
    legacy(f, "model_weights")
    f.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'


for libver in ["earliest", "latest"]:
    hdf5(f"{libver}_configuration", libver, whole)

# A zip archive of 3,000 bytes whose directory says that it has 2,800 entries.
DIRECTORY = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2800, 2800, 2800 * 46, 2801, 0)
body = bytearray(b"PK\x03\x04" + bytes(3000 - 4 - len(DIRECTORY)))
body[2801:2805] = b"PK\x01\x02"
(HERE / "torch" / "zip_of_many_entries").write_bytes(bytes(body) + DIRECTORY)

# Files by torch itself, of the tests.
FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "torch"
for name in ["wrapped.th", "protocol4_stream.th", "views_stream.th", "module_stream.th", "zip.pt", "tar.pt", "training.pt",
             "types.pt", "module.pt"]:
    (HERE / "torch" / name.replace(".", "_")).write_bytes((FIXTURES / name).read_bytes())

# What timm puts beside its weights, today's form and the earlier one, and names of published weights.
TIMM = {
    "architecture": "resnet50",
    "num_classes": 1000,
    "pretrained_cfg": {
        "tag": "a1_in1k",
        "input_size": [3, 224, 224],
        "test_input_size": [3, 288, 288],
        "interpolation": "bicubic",
        "crop_pct": 0.95,
        "test_crop_pct": 1.0,
        "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}
(HERE / "published" / "timm").write_text(json.dumps(TIMM))
(HERE / "published" / "timm_before_0_9").write_text(
    json.dumps({"architecture": "resnet50", "input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bilinear"})
)
for number, name in enumerate(["hf:timm/resnet50.a1_in1k@refs/pr/1", "vgg16-397923af.pth", "torchvision"]):
    (HERE / "published" / f"name_{number}").write_text(name)

# Archives and Parquet files of the tests, each behind a byte that chooses its name.
SHARDS = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "shards"
for name, number in [("codecs/snappy.parquet", 0), ("codecs/gzip.parquet", 4), ("codecs/version2.parquet", 4),
                     ("codecs/bytes.parquet", 0), ("mnist/test-00000-of-00001.parquet", 0), ("samples/val-000000.tar", 2)]:
    bytes_ = (SHARDS / name).read_bytes()
    (HERE / "shards" / pathlib.Path(name).name.replace(".", "_")).write_bytes(bytes([number]) + bytes_)
