"""Writes the first inputs of the corpora `record` and `report`.

Records of every table, and the beginnings of committed result files.
"""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
RESULTS = HERE.parent / "docs/results"
# In the order of Figure::ALL in bin/src/reproduce/figure.rs; after it the page of a CSV file and that of a JSON file.
INPUTS = ["figure1.csv", "table1_epochs.csv", "table2_epochs.csv", "figure4.csv"]
INPUTS += [f"table{n}{part}.csv" for part in ("", "_parameters", "_units") for n in range(1, 7)]


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed_{name}").write_bytes(data)


def record(table, model, arm, activation, count, name=None, **config):
    config = {"table": table, "model": model, "arm": arm, "activation": activation, "seed": "0", "data": "cifar10",
              "preset": "paper, 1 of 15 epochs", "numerics": "2", "epochs": "1", "first_epochs": "15",
              "version": "0.1.0", "data_sha256": "", "data_warnings": "", "overridden": "epochs=1", "classes": "10",
              "train_images": "9000", "val_images": "1000", "test_images": "1000", "batch_size": "128",
              "learning_rate": "1e-3", **config}
    evaluation = ["10", "0.5", "0.9", "1.25"]
    epoch = {"epoch": 1, "learning_rate": "0.001", "train_loss": "0.5", "train_top1": "0.75", "validation": evaluation,
             "test": evaluation, "seconds": "1.5"}
    address = f"{table}/{model}/{arm}/0"
    parameters = [["0.act", "0", "alpha", "2", "0.1", "0.2", "0.3", "0.4", "0.5", "0.3"]]
    data = {"id": address, "config": config, "hash": "", "status": "finished", "before_top1": "0.5",
            "trained_parameters": 7, "epochs": [epoch] * count, "parameters": parameters,
            "units": [["0.act", "0", "2", "1", "0.5"]], "planned": [address], "machine": {"threads": "2"}}
    write("record", name or f"{table}_{arm}_{count}", json.dumps(data).encode())


for number in [1, 2]:
    for arm in ["relu", "pvlu", "elu"]:
        record(f"table{number}", "sequential6conv", arm, arm, number, data="cifar100")
for number in [3, 4]:
    record(f"table{number}", "vgg16", "relu", "relu", 0, pretrained="vgg16.safetensors")
    record(f"table{number}", "vgg16_bn", "relu_affine", "relu", 2, pretrained="")
for number in [5, 6]:
    record(f"table{number}", "cifar_resnet20", "vlu", "vlu", 1, overridden="epochs=1", data_warnings="10 images")
# Not numbers, and numbers that are none of ours.
record("table1", "sequential6conv", "vlu", "vlu", 1, "count", epochs="many")
record("table1", "sequential6conv", "../vlu", "vlu", 1, "name")

for index, name in enumerate(INPUTS):
    found = sorted(RESULTS.glob(f"*/{name}"))
    if found:
        lines = found[0].read_bytes().splitlines(keepends=True)
        write("report", name.removesuffix(".csv"), bytes([index]) + b"".join(lines[:6]))
images = "image,label,stage,width,height,pixels\n0,x,before,1,1,ff0000\n0,x,after,1,1,000000\n"
write("report", "figure4", bytes([INPUTS.index("figure4.csv")]) + images.encode())
formula = "a,b,x,value,derivative\n1,1,-1,0.5,0.25\n1,1,1,0.75,1\n0,1,2,2,1\n"
write("report", "figure1", bytes([0]) + formula.encode())
table = (RESULTS / "table4/table4.csv").read_bytes().splitlines(keepends=True)
write("report", "page", bytes([len(INPUTS)]) + b"".join(table[:2] + table[-6:]))
write("report", "details", bytes([len(INPUTS) + 1]) + (RESULTS / "table5/table5.json").read_bytes())
