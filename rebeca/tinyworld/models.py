"""The shipped weights, written out in the layouts that diffusers, transformers and open_clip read.

A layout repeats weights (CLIP's two towers stand in three of them), so the package ships each tensor once, in half
precision, and writes the folders at first use.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebeca.errors import MissingDependency
from rebeca.hashes import file_hashes
from rebeca.places import cache_folder
from rebeca.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = Path(__file__).parent / "weights"
CARD = WEIGHTS / "card.json"
PARTS = ("autoencoder", "diffusion", "adapter", "prior-encoder", "verifier-encoder", "auditor-encoder", "hps", "laion")
EYES = ("prior-encoder", "verifier-encoder", "auditor-encoder")
CLIPS = (*EYES, "hps")
STABLE_DIFFUSION = "stable-diffusion"
ADAPTER = Path("ip-adapter") / "models" / "ip-adapter_tinyworld.safetensors"
IMAGE_ENCODER = Path("ip-adapter") / "models" / "image_encoder"
MANIFEST = "manifest.json"
"""Names and sizes of what was written into a folder of layouts."""
LAYOUT = 1
"""Raised when what is written changes."""


def weights_file(part: str, folder: Path = WEIGHTS) -> Path:
    """The shipped tensors of a part, see :data:`PARTS`.

    Raises:
        MissingDependency: If they are not there.
    """
    path = folder / f"{part}.safetensors"
    if not path.is_file():
        raise MissingDependency(
            f"{path}: these weights are not there", hint="python -m scripts.tinyworld.train makes them anew"
        )
    return path


def weights_digest(folder: Path = WEIGHTS) -> str:
    """SHA-256 over all shipped tensors."""
    digest = hashlib.sha256()
    paths = {part: weights_file(part, folder) for part in PARTS}
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
    if _whole(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as temporary:
        made = Path(temporary) / "made"
        with quiet():
            write_layouts(WEIGHTS, made)
        (made / MANIFEST).write_bytes(_sizes(made))
        try:
            if target.is_dir() and not _whole(target):
                target.rename(Path(temporary) / "damaged")
            made.rename(target)
        except OSError:  # another process was faster
            if not _whole(target):
                raise
    return target


def _sizes(folder: Path) -> bytes:
    """The manifest: bytes of every file but itself, as JSON."""
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    return json.dumps(sizes, indent=1, sort_keys=True).encode()


def _whole(folder: Path) -> bool:
    manifest = folder / MANIFEST
    return manifest.is_file() and manifest.read_bytes() == _sizes(folder)


def read_part(folder: Path, part: str) -> dict[str, Tensor]:
    """Tensors of a part in single precision."""
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(folder / f"{part}.safetensors").items()}


def write_layouts(weights: Path, folder: Path) -> None:
    """Writes every layout below ``folder``.

    ``stable-diffusion/`` for ``StableDiffusionPipeline.from_pretrained``; ``ip-adapter/models/`` for
    ``load_ip_adapter``, with its image encoder; ``clip/<name>/`` for ``CLIPModel.from_pretrained``, each with
    ``open_clip_config.json`` and ``open_clip_model.safetensors``; ``laion/head.safetensors``.
    """
    from rebeca.tinyworld.words import write_tokenizer

    write_tokenizer(folder / "tokenizer")
    for name in CLIPS:
        _write_clip(load_clip(name, weights), folder / "clip" / name, folder / "tokenizer")
    _write_stable_diffusion(weights, folder)
    _write_image_encoder(load_clip("prior-encoder", weights), folder / IMAGE_ENCODER)
    _write(folder / ADAPTER, read_part(weights, "adapter"))
    _write(folder / "laion" / "head.safetensors", read_part(weights, "laion"))


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    from rebeca.weights import save_weights

    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, tensors)


def load_clip(name: str, weights: Path = WEIGHTS) -> Any:
    """One of the shipped CLIPs (:data:`CLIPS`), for evaluation."""
    from rebeca.tinyworld import networks

    model = networks.build_clip(networks.CLIPS[name])
    model.load_state_dict(read_part(weights, name))
    return model.eval()


def _write_clip(model: Any, folder: Path, tokenizer: Path) -> None:
    from rebeca.tinyworld.open_clip_layout import open_clip_config, open_clip_tensors

    shutil.copytree(tokenizer, folder)
    model.save_pretrained(folder)
    _preprocessor().save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(model.config), indent=1) + "\n")
    _write(folder / "open_clip_model.safetensors", open_clip_tensors(model))


def _preprocessor() -> Any:
    from transformers import CLIPImageProcessor

    from rebeca.tinyworld.scenes import SIZE

    return CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})


def _write_image_encoder(clip: Any, folder: Path) -> None:
    from transformers import CLIPVisionModelWithProjection

    encoder = CLIPVisionModelWithProjection(clip.config.vision_config)
    kept = {k: v for k, v in clip.state_dict().items() if k.startswith(("vision_model.", "visual_projection."))}
    encoder.load_state_dict(kept)
    encoder.save_pretrained(folder)
    _preprocessor().save_pretrained(folder)


def _write_stable_diffusion(weights: Path, folder: Path) -> None:
    from diffusers import PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from rebeca.tinyworld import networks

    card = json.loads((weights / "card.json").read_text(encoding="utf-8"))
    vae = networks.build_autoencoder()
    vae.load_state_dict(read_part(weights, "autoencoder"))
    vae.register_to_config(scaling_factor=card["scaling_factor"])
    unet = UNet2DConditionModel(**networks.UNET)
    unet.load_state_dict(read_part(weights, "diffusion"))
    clip = load_clip("prior-encoder", weights)
    text = CLIPTextModel(clip.config.text_config)
    text.load_state_dict(clip.text_model.state_dict())
    scheduler = PNDMScheduler(skip_prk_steps=True, **networks.SCHEDULE)
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=CLIPTokenizer.from_pretrained(str(folder / "tokenizer")),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=_preprocessor(),
        requires_safety_checker=False,
    ).save_pretrained(folder / STABLE_DIFFUSION)
