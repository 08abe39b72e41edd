"""Shapes of the miniature networks, to load the shipped weights and to train them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rebeca.tinyworld.words import CONTEXT, symbols

TEXT_WIDTH = 64
"""Width of the text towers, which the UNet attends to."""
SIDE = 64
"""Height and width of a postcard, pixels."""

UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (48, 80, 112),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": TEXT_WIDTH,
    "attention_head_dim": 2,
    "norm_num_groups": 8,
}
"""``attention_head_dim`` counts heads, as in Stable Diffusion 1.5. The finest level has no attention among its 256
places, which keeps decoding fast (``scripts/perf/decoding.py``)."""

SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.02,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "steps_offset": 1,
    "timestep_spacing": "trailing",
}
"""Of every scheduler. The last step has more noise than Stable Diffusion's (``beta_end`` .012), because a small latent
shows its mean through much noise. The effect of this choice alone was not measured."""


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Size of a CLIP.

    Attributes:
        width: Width of the image tower.
        layers: Layers of the image tower.
        patch: Side of a patch, pixels.
        dim: Numbers of an embedding.
    """

    width: int
    layers: int
    patch: int
    dim: int


PRIOR_CLIP = ClipShape(width=96, layers=4, patch=8, dim=96)
CLIPS = {
    "prior-encoder": PRIOR_CLIP,
    "verifier-encoder": ClipShape(width=112, layers=4, patch=8, dim=112),
    "auditor-encoder": ClipShape(width=96, layers=3, patch=8, dim=80),
    "hps": PRIOR_CLIP,
}
"""By the name of the part that holds the weights; ``hps`` is tuned from the prior's."""


def build_autoencoder() -> Any:
    """Images to latents of 8 x 16 x 16 and back, with random weights."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 32, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=SIDE,
    )


def build_clip(shape: ClipShape) -> Any:
    """A CLIP with random weights; its text tower is the same in every shape."""
    from transformers import CLIPConfig, CLIPModel

    count = len(symbols())
    text = {
        "vocab_size": count,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
        "hidden_act": "gelu",
        "bos_token_id": count - 2,
        "eos_token_id": count - 1,
        "pad_token_id": count - 1,
        "projection_dim": shape.dim,
    }
    vision = {
        "hidden_size": shape.width,
        "intermediate_size": 3 * shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": shape.patch,
        "hidden_act": "gelu",
        "projection_dim": shape.dim,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=shape.dim))
