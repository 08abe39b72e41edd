"""The same CLIP under open_clip's names: a configuration and a state dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.plain import Plain
from rebeca.tinyworld.words import CONTEXT

if TYPE_CHECKING:
    from torch import Tensor


def open_clip_config(config: Any) -> Mapping[str, Plain]:
    """What open_clip reads from ``open_clip_config.json``, for a transformers ``CLIPConfig``."""
    vision, text = config.vision_config, config.text_config
    model = {
        "embed_dim": config.projection_dim,
        "vision_cfg": {
            "image_size": vision.image_size,
            "layers": vision.num_hidden_layers,
            "width": vision.hidden_size,
            "head_width": vision.hidden_size // vision.num_attention_heads,
            "mlp_ratio": vision.intermediate_size / vision.hidden_size,
            "patch_size": vision.patch_size,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
            "mlp_ratio": text.intermediate_size / text.hidden_size,
        },
    }
    return {"model_cfg": model, "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_DEVIATION}}


def open_clip_tensors(clip: Any) -> dict[str, Tensor]:
    """Tensors of a transformers ``CLIPModel`` under open_clip's names."""
    state = clip.state_dict()
    out = {
        "logit_scale": state["logit_scale"],
        "text_projection": state["text_projection.weight"].T,
        "token_embedding.weight": state["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": state["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": state["text_model.final_layer_norm.weight"],
        "ln_final.bias": state["text_model.final_layer_norm.bias"],
        "visual.class_embedding": state["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": state["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": state["vision_model.embeddings.position_embedding.weight"],
        "visual.ln_pre.weight": state["vision_model.pre_layrnorm.weight"],
        "visual.ln_pre.bias": state["vision_model.pre_layrnorm.bias"],
        "visual.ln_post.weight": state["vision_model.post_layernorm.weight"],
        "visual.ln_post.bias": state["vision_model.post_layernorm.bias"],
        "visual.proj": state["visual_projection.weight"].T,
    }
    for tower, prefix, layers in (
        ("text_model", "transformer", clip.config.text_config.num_hidden_layers),
        ("vision_model", "visual.transformer", clip.config.vision_config.num_hidden_layers),
    ):
        for layer in range(layers):
            out |= _block(state, f"{tower}.encoder.layers.{layer}", f"{prefix}.resblocks.{layer}")
    return {name: tensor.contiguous() for name, tensor in out.items()}


def _block(state: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    import torch

    out = {}
    for kind in ("weight", "bias"):
        heads = [state[f"{theirs}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
        out[f"{ours}.attn.in_proj_{kind}"] = torch.cat(heads)
        for left, right in (
            ("attn.out_proj", "self_attn.out_proj"),
            ("ln_1", "layer_norm1"),
            ("ln_2", "layer_norm2"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
        ):
            out[f"{ours}.{left}.{kind}"] = state[f"{theirs}.{right}.{kind}"]
    return out
