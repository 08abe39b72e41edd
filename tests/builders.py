"""Small inputs that several tests build."""

import json

import numpy as np

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
