"""Writes the first inputs of the corpora: small files of every structure that the readers know. Needs h5py and numpy."""

import pathlib
import struct

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent / "corpus"
for target in ["safetensors", "hdf5", "data"]:
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


def hdf5(name, libver, fill):
    with h5py.File(HERE / "hdf5" / name, "w", libver=libver, fs_strategy=None) as f:
        fill(f)


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
hdf5("latest_many", "latest", many)


def data(name, *files):
    """Files as `sets.rs` reads them: number of the name, kind, bytes."""
    (HERE / "data" / name).write_bytes(b"".join(bytes([number, kind, len(raw)]) + raw for number, kind, raw in files))


TEN, HUNDRED, CUT, FOLDER, LINK, RAW = range(6)
data("cifar10", (0, TEN, b"\1\2\x09"), (1, TEN, b"\3"), (2, TEN, b"\0"))
data("cifar100", (3, HUNDRED, b"\1\2\x13\x63"), (4, HUNDRED, b"\0\0"))
data("parent", (5, TEN, b"\1"), (6, TEN, b"\2"), (7, HUNDRED, b"\1\1"), (8, HUNDRED, b"\1\1"))
data("cut", (0, CUT, b"\1\2"), (2, TEN, b"\0"), (3, HUNDRED, b"\x14\1"), (4, RAW, b""))
data("python", (9, RAW, b"\x80\2}."), (10, RAW, b"\x80\2}."), (11, RAW, b"\x80\2}."), (12, RAW, b"x"), (13, RAW, b"\x80\4"))
data("archives", (14, RAW, b"\x1f\x8b"), (15, RAW, b"\x1f\x8b"), (16, RAW, b"\x1f\x8b"), (17, RAW, b"PK\3\4"), (18, RAW, b"PAR1"))
data("classes", (19, RAW, b"x"), (21, RAW, b"x"), (22, RAW, b"x"), (29, RAW, b"x"), (31, RAW, b"x"))
data("formats", (19, RAW, b"x"), (20, RAW, b"x"), (22, LINK, b""), (23, FOLDER, b""), (30, RAW, b"x"))
data("parts", (24, RAW, b"x"), (25, RAW, b"x"), (26, RAW, b"x"), (27, RAW, b"x"), (28, RAW, b"x"))
