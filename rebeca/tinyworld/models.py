"""The miniature networks and their shipped weights, written in the layouts of diffusers, transformers and open_clip.

Layouts repeat weights (CLIP's two towers are in three of them), so the package ships each tensor once, in half
precision, and writes the folders at first use.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebeca.arrays import Plain
from rebeca.errors import MissingDependency
from rebeca.hashes import cache_folder, file_hashes
from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.tinyworld.scenes import SIZE
from rebeca.tinyworld.words import CONTEXT, symbols, write_tokenizer
from rebeca.weights import quiet, save_weights

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = Path(__file__).parent / "weights"
CARD = WEIGHTS / "card.json"
PARTS = ("autoencoder", "diffusion", "adapter", "prior-encoder", "verifier-encoder", "auditor-encoder", "hps", "laion")
"""The parts that layouts are written of."""
USERS_PARTS = ("recogniser", "support", "detector")
"""The parts that only the world's users see with."""
STABLE_DIFFUSION = "stable-diffusion"
ADAPTER = Path("ip-adapter") / "models" / "ip-adapter_tinyworld.safetensors"
IMAGE_ENCODER = Path("ip-adapter") / "models" / "image_encoder"
MANIFEST = "manifest.json"
"""Names and sizes of the files in a folder of layouts."""
LAYOUT = 1
"""Raised when the files that are written change."""
CACHED = 32
"""Images of 64 x 64 pixels: fewer need more waiting of threads for each other, more leave the processor's cache."""

TEXT_WIDTH = 64
"""Width of the text towers, which the UNet attends to."""
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


def weights_file(part: str, folder: Path = WEIGHTS) -> Path:
    """The shipped tensors of a part, see :data:`PARTS` and :data:`USERS_PARTS`.

    Raises:
        MissingDependency: If they are missing.
    """
    path = folder / f"{part}.safetensors"
    if not path.is_file():
        raise MissingDependency(
            f"{path}: these weights are missing", hint="python -m scripts.tinyworld.train trains them again"
        )
    return path


def weights_digest(folder: Path = WEIGHTS, parts: tuple[str, ...] = PARTS) -> str:
    """SHA-256 over the shipped tensors of some parts, and over how layouts are written."""
    digest = hashlib.sha256()
    paths = {part: weights_file(part, folder) for part in parts}
    hashes = file_hashes(paths.values())
    for part, path in paths.items():
        digest.update(part.encode() + bytes.fromhex(hashes[path]))
    digest.update(str(LAYOUT).encode())
    return digest.hexdigest()


@cache
def layouts() -> Path:
    """The folder with all layouts, written at first use and where a file is missing or has another size.

    Safe when several processes ask at once.
    """
    target = cache_folder() / f"tinyworld-{weights_digest()[:16]}"
    if _is_complete(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as temporary:
        new = Path(temporary) / "new"
        with quiet():
            write_layouts(WEIGHTS, new)
        (new / MANIFEST).write_bytes(_sizes(new))
        try:
            if target.is_dir() and not _is_complete(target):
                target.rename(Path(temporary) / "damaged")
            new.rename(target)
        except OSError:  # another process was faster
            if not _is_complete(target):
                raise
    return target


def _sizes(folder: Path) -> bytes:
    """The manifest: the size of every other file in bytes, as JSON."""
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    return json.dumps(sizes, indent=1, sort_keys=True).encode()


def _is_complete(folder: Path) -> bool:
    manifest = folder / MANIFEST
    return manifest.is_file() and manifest.read_bytes() == _sizes(folder)


def read_part(folder: Path, part: str) -> dict[str, Tensor]:
    """Tensors of a part in single precision.

    Raises:
        MissingDependency: If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = weights_file(part, folder)
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        fault = "" if all(tensor.isfinite().all() for tensor in tensors.values()) else "numbers that are not finite"
    except SafetensorError as error:
        fault = str(error)
    if fault:
        raise MissingDependency(f"{path}: these weights are damaged: {fault}", hint="install the package again")
    return tensors


def by_parts(body: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What convolutions ``body`` give for images, a few at a time, so that they fit into the processor's cache.

    Convolutions, and norms within an image, answer for each image alone: not even the last bit differs.
    """
    import torch

    return torch.cat([body(part) for part in images.split(CACHED)])


def scaled(pixels: Tensor) -> Tensor:
    """Pixels [n, h, w, 3] from 0 to 255 as [n, 3, h, w] from -1 to 1."""
    return pixels.permute(0, 3, 1, 2) / 127.5 - 1


def write_layouts(weights: Path, folder: Path) -> None:
    """Writes every layout below ``folder``.

    ``stable-diffusion/`` for ``StableDiffusionPipeline.from_pretrained``; ``ip-adapter/models/`` for
    ``load_ip_adapter``, with its image encoder; ``clip/<name>/`` for ``CLIPModel.from_pretrained``, each with
    ``open_clip_config.json`` and ``open_clip_model.safetensors``; ``laion/head.safetensors``.
    """
    write_tokenizer(folder / "tokenizer")
    for name in CLIPS:
        _write_clip(load_clip(name, weights), folder / "clip" / name, folder / "tokenizer")
    _write_stable_diffusion(weights, folder)
    _write_image_encoder(load_clip("prior-encoder", weights), folder / IMAGE_ENCODER)
    _write(folder / ADAPTER, read_part(weights, "adapter"))
    _write(folder / "laion" / "head.safetensors", read_part(weights, "laion"))


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, tensors)


def load_clip(name: str, weights: Path = WEIGHTS) -> Any:
    """One of the shipped CLIPs (:data:`CLIPS`), for evaluation."""
    model = build_clip(CLIPS[name])
    model.load_state_dict(read_part(weights, name))
    return model.eval()


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
        sample_size=SIZE,
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
        "image_size": SIZE,
        "patch_size": shape.patch,
        "hidden_act": "gelu",
        "projection_dim": shape.dim,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=shape.dim))


def _write_clip(model: Any, folder: Path, tokenizer: Path) -> None:
    shutil.copytree(tokenizer, folder)
    model.save_pretrained(folder)
    _preprocessor().save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(_open_clip_config(model.config), indent=1) + "\n")
    _write(folder / "open_clip_model.safetensors", _open_clip_tensors(model))


def _preprocessor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})


def _write_image_encoder(clip: Any, folder: Path) -> None:
    from transformers import CLIPVisionModelWithProjection

    encoder = CLIPVisionModelWithProjection(clip.config.vision_config)
    tower = {k: v for k, v in clip.state_dict().items() if k.startswith(("vision_model.", "visual_projection."))}
    encoder.load_state_dict(tower)
    encoder.save_pretrained(folder)
    _preprocessor().save_pretrained(folder)


def _write_stable_diffusion(weights: Path, folder: Path) -> None:
    from diffusers import PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    card = json.loads((weights / "card.json").read_text(encoding="utf-8"))
    vae = build_autoencoder()
    vae.load_state_dict(read_part(weights, "autoencoder"))
    vae.register_to_config(scaling_factor=card["scaling_factor"])
    unet = UNet2DConditionModel(**UNET)
    unet.load_state_dict(read_part(weights, "diffusion"))
    clip = load_clip("prior-encoder", weights)
    text = CLIPTextModel(clip.config.text_config)
    text.load_state_dict(clip.text_model.state_dict())
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=CLIPTokenizer.from_pretrained(str(folder / "tokenizer")),
        unet=unet,
        scheduler=PNDMScheduler(skip_prk_steps=True, **SCHEDULE),
        safety_checker=None,
        feature_extractor=_preprocessor(),
        requires_safety_checker=False,
    ).save_pretrained(folder / STABLE_DIFFUSION)


def _open_clip_config(config: Any) -> Mapping[str, Plain]:
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


def _open_clip_tensors(clip: Any) -> dict[str, Tensor]:
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


def _block(state: Mapping[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    import torch

    out = {}
    for kind in ("weight", "bias"):
        heads = [state[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
        out[f"{target}.attn.in_proj_{kind}"] = torch.cat(heads)
        for name, source_name in (
            ("attn.out_proj", "self_attn.out_proj"),
            ("ln_1", "layer_norm1"),
            ("ln_2", "layer_norm2"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
        ):
            out[f"{target}.{name}.{kind}"] = state[f"{source}.{source_name}.{kind}"]
    return out
