"""Small inputs that several tests build."""

import json
from pathlib import Path

import numpy as np

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.data.interactions import Interactions


def interactions(user, item, rating, users=None, items=None):
    n, m = users or max(user) + 1, items or max(item) + 1
    rating = np.asarray(rating, float)
    ids = tuple(f"u{i}" for i in range(n)), tuple(f"i{i}" for i in range(m))
    return Interactions(np.array(user), np.array(item), rating, rating >= 4, *ids)


def grid(users=20, items=40, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    return interactions(user, item, rng.integers(1, 8, users * items))


def linear_ratings(users=20, items=60, seed=0):
    """Ratings of all items by all users, from linear tastes over embeddings [items, 6]; both are returned."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(items, 6)).astype(np.float32)
    utility = rng.normal(size=(users, 6)) @ embeddings.T + 1.5 * embeddings[:, 0]
    user, item = np.divmod(np.arange(users * items), items)
    rating = np.clip(np.round(4 + utility.ravel()), 1, 7)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating >= 5, *ids), embeddings


def likes(users=6, items=12, seed=0):
    """Every user's like (1) or dislike (0) of every item, at random."""
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    rating = rng.integers(0, 2, len(user)).astype(float)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating > 0, *ids)


def noise_images(count=12, width=40, height=40, taller=0):
    """``count`` images of noise; each is ``taller`` pixels taller than the one before it."""
    return [
        np.random.default_rng(i).integers(0, 255, (height + taller * i, width, 3)).astype(np.uint8)
        for i in range(count)
    ]


def resolved_encoder(use, **rest):
    return resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path())


def encoder(use, **rest):
    """An encoder as a task that declares it would build it, on the processor."""
    return build_encoder(resolved_encoder(use, **rest), "cpu")


TINY_HPS = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 56, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
"""A small HPSv2 with the published tokenizer: the package knows no other."""


def save_tiny_hps(folder):
    """A checkpoint in the published layout with random weights; open_clip builds it as ``ViT-tiny-hps``."""
    import open_clip
    import torch

    (folder / "ViT-tiny-hps.json").write_text(json.dumps(TINY_HPS))
    open_clip.add_model_config(folder / "ViT-tiny-hps.json")
    torch.manual_seed(3)
    model = open_clip.create_model("ViT-tiny-hps")
    torch.save({"state_dict": model.state_dict()}, folder / "HPS_v2_tiny.pt")
    return folder / "HPS_v2_tiny.pt"


def within_groups(groups, table):
    """float64 [..., users, m] from a value per pair, float64 [..., judges, users]; NaN beyond the judge's group."""
    columns = np.broadcast_to(np.maximum(groups.targets, 0), (*table.shape[:-1], groups.targets.shape[1]))
    return np.where(groups.targets >= 0, np.take_along_axis(table, columns, axis=-1), np.nan)
