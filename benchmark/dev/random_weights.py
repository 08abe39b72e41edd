"""Random weights in the published layouts: same files, same tensor names, and for ``full`` the same shapes.

With them, all code that loads published weights runs without these. Images and scores made with them mean nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from open_clip import CLIP
from open_clip.tokenizer import bytes_to_unicode, default_bpe
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from benchmark.disk import is_vacant
from rebeca.errors import StoreError
from rebeca.published import ALL, CARD, Published
from rebeca.seeds import seed_of
from rebeca.weights import quiet, save_weights

Size = Literal["tiny", "full"]
LAYOUTS = {
    "sd15": "sd15",
    "ip-adapter": "ip-adapter-sd15",
    "vit-h": "vit-h",
    "vit-l": "vit-l",
    "vit-g": "vit-g",
    "hpsv2": "hpsv2.0",
    "hpsv2.1": "hpsv2.1",
    "laion": "laion-v2",
}
"""Layouts of ``dev make-weights --layout``, and the published weights that each replaces."""
HEADS = 16
"""Attention heads of ViT-H's and ViT-bigG's towers, in both sizes."""


@dataclass(frozen=True, slots=True)
class Tower:
    """Shape of a transformer of CLIP.

    Attributes:
        width: Hidden size.
        layers: Blocks.
        heads: Attention heads.
        inner: Width of the feed-forward layers.
        projection: Dimensions of an embedding.
    """

    width: int
    layers: int
    heads: int
    inner: int
    projection: int

    def config(self) -> dict[str, Any]:
        """As transformers names it."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.inner,
            "projection_dim": self.projection,
        }


VISION = {
    "vit-h": {"full": Tower(1280, 32, 16, 5120, 1024), "tiny": Tower(32, 2, 16, 64, 64)},
    "vit-g": {"full": Tower(1664, 48, 16, 8192, 1280), "tiny": Tower(32, 3, 16, 64, 40)},
    "vit-l": {"full": Tower(1024, 24, 16, 4096, 768), "tiny": Tower(32, 2, 16, 64, 32)},
}
TEXT = {"full": Tower(768, 12, 12, 3072, 768), "tiny": Tower(32, 2, 4, 64, 32)}
IMAGE_SIZE = {"full": 224, "tiny": 56}
PATCH = 14
CHANNELS = {"full": (320, 640, 1280, 1280), "tiny": (32, 32, 64, 64)}
AUTOENCODER = {"full": (128, 256, 512, 512), "tiny": (16, 16, 32, 32)}
GROUPS = {"full": 32, "tiny": 8}
LATENT = {"full": 64, "tiny": 8}
ADAPTER_TOKENS = 4
HPS = {
    "full": (1024, Tower(1280, 32, HEADS, 5120, 1024), Tower(1024, 24, HEADS, 4096, 1024)),
    "tiny": (64, Tower(64, 2, HEADS, 256, 64), Tower(64, 2, HEADS, 256, 64)),
}
"""Embedding, image tower, text tower."""
HEAD = (1024, 128, 64, 16, 1)
HEAD_LAYERS = (0, 2, 4, 6, 7)


def make_weights(layout: str, size: Size, root: Path, seed: int = 0) -> Path:
    """Writes random weights of a layout below ``root``, where the published ones would lie.

    Args:
        layout: One of :data:`LAYOUTS`.
        size: ``full`` has the published shapes; ``tiny`` the same tensors, small.
        root: As ``$REBECA_WEIGHTS``.
        seed: Of the weights.

    Returns:
        The repository's folder.

    Raises:
        StoreError: If the folder holds weights that are not random; they are never overwritten.
    """
    published = ALL[LAYOUTS[layout]]
    folder = root / published.folder
    files: dict[str, str] = {}
    if (folder / CARD).is_file():
        files = json.loads((folder / CARD).read_text(encoding="utf-8"))["files"]
    elif not is_vacant(folder):
        raise StoreError(f"{folder} holds weights that are not random", hint="choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).write_text(_card_text(size, seed, files), encoding="utf-8")  # first: what follows is random
    with quiet():
        _WRITERS[layout](folder, published, size, seed)
    for file in published.files:
        with (folder / file.name).open("rb") as stream:
            files[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    (folder / CARD).write_text(_card_text(size, seed, files), encoding="utf-8")
    return folder


def _card_text(size: Size, seed: int, files: Mapping[str, str]) -> str:
    card = {"made_by": "rebeca-bench dev make-weights", "size": size, "seed": seed, "files": files}
    return json.dumps(card, indent=1, sort_keys=True) + "\n"


# -- models on no device: names and shapes ----------------------------------------------------------------------------


def _shapes(layout: str, size: Size) -> dict[str, dict[str, tuple[int, ...]]]:
    if layout == "sd15":
        models = {"unet": _unet(size), "vae": _vae(size), "text": _text(size)}
    elif layout in VISION:
        models = {"clip": _clip(size)} if layout == "vit-l" else {"image": _vision(layout, size)}
    elif layout.startswith("hpsv2"):
        models = {"clip": _hps(size)}
    elif layout == "ip-adapter":
        return {"adapter": _adapter_shapes(size)}
    else:
        return {"head": _head_shapes(size)}
    return {
        name: {_published_key(name, key): tuple(value.shape) for key, value in model.state_dict().items()}
        for name, model in models.items()
    }


OLD_ATTENTION = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
"""Names of the autoencoder's attention when Stable Diffusion 1.5 was published."""


def _published_key(model: str, key: str) -> str:
    """A tensor's name in the published file; current libraries use other names for some and rename them on loading."""
    if model == "vae":
        for new, old in OLD_ATTENTION.items():
            key = key.replace(new, old)
    return key if model != "text" or key.startswith("text_model.") else f"text_model.{key}"


def _position_ids(layout: str, size: Size) -> dict[str, Tensor]:
    """Tensors of position numbers, which published CLIPs contain besides."""
    patches = (IMAGE_SIZE[size] // PATCH) ** 2 + 1
    places = {"text_model": 77} if layout == "sd15" else {"vision_model": patches}
    if layout == "vit-l":
        places["text_model"] = 77
    return {f"{tower}.embeddings.position_ids": torch.arange(n)[None] for tower, n in places.items()}


def _on_no_device(build: Callable[[], Any]) -> Any:
    with torch.device("meta"):
        return build()


def _unet(size: Size) -> Any:
    return _on_no_device(
        lambda: UNet2DConditionModel(
            sample_size=LATENT[size],
            cross_attention_dim=TEXT[size].width,
            attention_head_dim=8,
            block_out_channels=CHANNELS[size],
            norm_num_groups=GROUPS[size],
        )
    )


def _vae(size: Size) -> Any:
    return _on_no_device(
        lambda: AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=AUTOENCODER[size],
            layers_per_block=2,
            norm_num_groups=GROUPS[size],
            sample_size=LATENT[size] * 8,
            scaling_factor=0.18215,
        )
    )


def _text_config(size: Size) -> Any:
    return CLIPTextConfig(
        vocab_size=49408,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
        bos_token_id=0,
        eos_token_id=2,
        **TEXT[size].config(),
    )


def _vision_config(layout: str, size: Size) -> Any:
    act = "quick_gelu" if layout == "vit-l" else "gelu"
    tower = VISION[layout][size].config()
    return CLIPVisionConfig(image_size=IMAGE_SIZE[size], patch_size=PATCH, hidden_act=act, **tower)


def _text(size: Size) -> Any:
    return _on_no_device(lambda: CLIPTextModel(_text_config(size)))


def _vision(layout: str, size: Size) -> Any:
    return _on_no_device(lambda: CLIPVisionModelWithProjection(_vision_config(layout, size)))


def _clip(size: Size) -> Any:
    config = CLIPConfig(
        text_config=_text_config(size).to_dict(),
        vision_config=_vision_config("vit-l", size).to_dict(),
        projection_dim=VISION["vit-l"][size].projection,
    )
    return _on_no_device(lambda: CLIPModel(config))


def _hps(size: Size) -> Any:
    dim, image, words = HPS[size]
    vision = {
        "width": image.width,
        "layers": image.layers,
        "head_width": image.width // image.heads,
        "patch_size": PATCH,
        "image_size": IMAGE_SIZE[size],
    }
    text = {
        "context_length": 77,
        "vocab_size": 49408,
        "width": words.width,
        "heads": words.heads,
        "layers": words.layers,
    }
    return _on_no_device(lambda: CLIP(dim, vision, text))


def _adapter_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    cross, image = TEXT[size].width, VISION["vit-h"][size].projection
    shapes: dict[str, tuple[int, ...]] = {
        "image_proj.proj.weight": (ADAPTER_TOKENS * cross, image),
        "image_proj.proj.bias": (ADAPTER_TOKENS * cross,),
        "image_proj.norm.weight": (cross,),
        "image_proj.norm.bias": (cross,),
    }
    unet = _unet(size)
    widths = unet.config.block_out_channels
    number = 1
    for name in unet.attn_processors:  # in the order down, up, mid; every second one attends to the prompt
        if name.startswith("mid_block"):
            hidden = widths[-1]
        else:
            level = int(name.split(".")[1])
            hidden = widths[level] if name.startswith("down_blocks") else widths[::-1][level]
        if name.endswith("attn2.processor"):
            for part in ("to_k_ip", "to_v_ip"):
                shapes[f"ip_adapter.{number}.{part}.weight"] = (hidden, cross)
            number += 2
    return shapes


def _head_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    widths = (VISION["vit-l"][size].projection, *HEAD)
    shapes: dict[str, tuple[int, ...]] = {}
    for number, below, above in zip(HEAD_LAYERS, widths[:-1], widths[1:], strict=True):
        shapes[f"layers.{number}.weight"] = (above, below)
        shapes[f"layers.{number}.bias"] = (above,)
    return shapes


# -- numbers ----------------------------------------------------------------------------------------------------------


def _tensors(shapes: Mapping[str, tuple[int, ...]], seed: int, half: bool = False) -> dict[str, Tensor]:
    """Random tensors that keep the scale of activations; norms are 1 and biases 0."""
    tensors = {}
    for name, shape in shapes.items():
        generator = torch.Generator().manual_seed(seed_of(seed, "random-weights", name))
        if name.endswith("logit_scale"):
            value = torch.tensor(math.log(1 / 0.07))
        elif len(shape) == 1 and name.endswith("weight"):
            value = torch.ones(shape)
        elif name.endswith("bias"):
            value = torch.zeros(shape)
        else:
            spread = 1 / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else shape[0])
            value = torch.randn(shape, generator=generator) * spread
        tensors[name] = value.half() if half else value
    return tensors


# -- files ------------------------------------------------------------------------------------------------------------


def _write_sd15(folder: Path, published: Published, size: Size, seed: int) -> None:
    models = {
        "unet": (_unet(size), "diffusion_pytorch_model"),
        "vae": (_vae(size), "diffusion_pytorch_model"),
        "text_encoder": (_text(size), "model"),
    }
    for (name, (model, stem)), shapes in zip(models.items(), _shapes("sd15", size).values(), strict=True):
        (folder / name).mkdir(exist_ok=True)
        tensors = _tensors(shapes, seed)
        if name == "text_encoder":
            model.config.architectures = ["CLIPTextModel"]
            model.config.save_pretrained(folder / name)
            tensors |= _position_ids("sd15", size)
        else:
            model.save_config(folder / name)
        save_weights(folder / name / f"{stem}.safetensors", tensors)
    PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.6.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(folder: Path) -> None:
    """CLIP's own tokenizer, from the table that open_clip ships."""
    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode("utf-8").split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    letters = list(bytes_to_unicode().values())
    words = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(exist_ok=True)
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1) + "\n", encoding="utf-8")
    settings = special | {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _write_vision(layout: str, folder: Path, published: Published, size: Size, seed: int) -> None:
    target = folder / published.inside
    target.mkdir(parents=True, exist_ok=True)
    model = _clip(size) if layout == "vit-l" else _vision(layout, size)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(target)
    (shapes,) = _shapes(layout, size).values()
    tensors = _tensors(shapes, seed, half=layout == "vit-g")
    save_weights(target / "model.safetensors", tensors | _position_ids(layout, size))


def _write_hps(folder: Path, published: Published, size: Size, seed: int) -> None:
    (shapes,) = _shapes("hpsv2", size).values()
    torch.save({"state_dict": _tensors(shapes, seed_of(seed, published.name), half=True)}, folder / published.inside)


def _write_adapter(folder: Path, published: Published, size: Size, seed: int) -> None:
    path = folder / published.files[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, _tensors(_adapter_shapes(size), seed, half=True))


def _write_head(folder: Path, published: Published, size: Size, seed: int) -> None:
    torch.save(_tensors(_head_shapes(size), seed), folder / published.inside)


_WRITERS: dict[str, Callable[[Path, Published, Size, int], None]] = {
    "sd15": _write_sd15,
    "ip-adapter": _write_adapter,
    "vit-h": partial(_write_vision, "vit-h"),
    "vit-l": partial(_write_vision, "vit-l"),
    "vit-g": partial(_write_vision, "vit-g"),
    "hpsv2": _write_hps,
    "hpsv2.1": _write_hps,
    "laion": _write_head,
}
