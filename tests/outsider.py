"""A generator of somebody who has an exported folder and nothing else of this project.

python outsider.py EXPORTED OUT {random,centroid,noise} {folders,table}
"""

import csv
import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def stream(seed, name):
    digest = hashlib.sha256(f'[{seed},"{name}"]'.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def candidates_of(inputs):
    """Numbers of the items that may be shown, in the order of items.csv, by user."""
    number = {row["item"]: i for i, row in enumerate(rows(inputs / "items.csv"))}
    of_block, excluded = {}, {}
    for row in rows(inputs / "candidates.csv"):
        of_block.setdefault(row["block"], []).append(number[row["item"]])
    for row in rows(inputs / "excluded.csv"):
        excluded.setdefault(row["user"], set()).add(number[row["item"]])
    return {
        row["user"]: [i for i in sorted(of_block.get(row["block"], [])) if i not in excluded.get(row["user"], ())]
        for row in rows(inputs / "users.csv")
    }


def draw_random(inputs, requests):
    left = candidates_of(inputs)
    for request in requests:
        items = left[request["user"]]
        yield items.pop(int(stream(request["seed"], "catalogue-random").integers(len(items))))


def nearest_to_likes(inputs, requests):
    items = rows(inputs / "items.csv")
    number = {row["item"]: i for i, row in enumerate(items)}
    vectors = np.load(inputs / "embeddings.npy").astype(np.float64)
    vectors -= vectors[[row["training"] == "1" for row in items]].mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    liked = {}
    for row in rows(inputs / "training_ratings.csv"):
        if row["like"] == "1":
            liked.setdefault(row["user"], []).append(number[row["item"]])
    candidates = candidates_of(inputs)
    for request in requests:
        own = np.array(candidates[request["user"]])
        scores = vectors[own] @ vectors[liked[request["user"]]].sum(axis=0)
        yield own[np.argsort(-scores)[int(request["replicate"])]]


def noise(request):
    return np.random.default_rng(int(request["seed"])).integers(0, 255, (16, 16, 3)).astype(np.uint8)


def main(inputs, out, how, layout):
    requests = rows(inputs / "requests.csv")
    items = rows(inputs / "items.csv")
    chosen = iter(
        {"random": draw_random, "centroid": nearest_to_likes}[how](inputs, requests) if how != "noise" else ()
    )
    table = [("user", "replicate", "file")]
    for place, request in enumerate(requests):
        name = f"all/{place}.png" if layout == "table" else f"{request['user']}/{request['replicate']}.png"
        table.append((request["user"], request["replicate"], name))
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if how == "noise":
            Image.fromarray(noise(request)).save(out / name)
        else:
            shutil.copyfile(inputs / items[next(chosen)]["file"], out / name)
    if layout == "table":
        with (out / "images.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
