"""CLIP image encoders through open_clip and transformers; weights come from a cache, a folder, or the miniature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_batches
from rebeca.encoders.gradients import resized
from rebeca.errors import MissingDependency, SpecError
from rebeca.hashes import file_hash, hash_of_files
from rebeca.interfaces import Encoder
from rebeca.references import CLIP, OPEN_CLIP
from rebeca.tinyworld.models import LAYOUT, layouts, weights_file
from rebeca.weights import quiet, reading

if TYPE_CHECKING:
    from torch import Tensor

P = TypeVar("P")
BATCH = 32
QUICK = "-quickgelu"
"""Ends open_clip's names of models with OpenAI's activation; weights fit into both models, and mean only one."""
SECONDS_TO_ANSWER = 5.0
VIT_H = "ViT-H-14/laion2b_s32b_b79k"
"""The same weights as ``published:vit-h``, in open_clip's words."""


@dataclass(frozen=True, slots=True)
class OpenClipParams:
    """Parameters of a task file.

    Attributes:
        model: ``<model>/<pretrained>``, given after the colon. ``pretrained`` may be a local checkpoint file.
    """

    model: str

    def __post_init__(self) -> None:
        name, _, pretrained = self.model.partition("/")
        if not name or not pretrained:
            raise SpecError(
                f"encoder 'open_clip:{self.model}' names no weights", hint="write open_clip:<model>/<pretrained>"
            )
        if pretrained == "openai" and not name.endswith(QUICK):
            raise _other_activation(self.model, f"{name}{QUICK}/{pretrained}")

    @property
    def checkpoint(self) -> str:
        """The file, if it is one."""
        return self.model.partition("/")[2]


class OpenClip(Encoder[OpenClipParams]):
    """``open_clip:<model>/<pretrained>``, e.g. ``open_clip:ViT-H-14/laion2b_s32b_b79k``; un-normalised features.

    A model without its weights is an error. To hash weights that open_clip knows by a tag, it must be imported, and
    with it torch.
    """

    Params = OpenClipParams
    references = (CLIP, OPEN_CLIP)
    ARGUMENT = "model"

    @classmethod
    def space(cls, params: OpenClipParams) -> str:
        return "published:vit-h" if params.model == VIT_H else ""

    @classmethod
    def fingerprint(cls, params: OpenClipParams) -> str:
        name, _, pretrained = params.model.partition("/")
        if Path(pretrained).is_file():
            return file_hash(Path(pretrained))
        with _weights_of(params):
            import open_clip

            config = open_clip.get_pretrained_cfg(name, pretrained)
            if not config:
                raise ValueError(f"open_clip knows no weights '{pretrained}' of '{name}'")
            if config.get("quick_gelu", False) != name.endswith(QUICK):
                other = name.removesuffix(QUICK) if name.endswith(QUICK) else f"{name}{QUICK}"
                if other in open_clip.list_models():
                    raise _other_activation(params.model, f"{other}/{pretrained}")
            with _reachable_or_offline(config.get("hf_hub", "")):
                return file_hash(Path(open_clip.download_pretrained(config)))

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Network and preparation."""
        name, _, pretrained = self.params.model.partition("/")
        with _weights_of(self.params):
            import open_clip

            with _reachable_or_offline((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("hf_hub", "")):
                net, _, prepare = open_clip.create_model_and_transforms(
                    name, pretrained=pretrained, require_pretrained=True
                )
        return net.eval().to(self.context.device), prepare

    @property
    def dim(self) -> int:
        return int(self._loaded[0].visual.output_dim)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        import torch

        net, prepare = self._loaded

        @torch.inference_mode()
        def features(batch: Sequence[Pixels]) -> Floats:
            x = torch.stack([prepare(Image.fromarray(p)) for p in batch])
            return net.encode_image(x.to(self.context.device)).float().cpu().numpy()

        return in_batches(features, images, BATCH, self.dim)


def _other_activation(model: str, right: str) -> SpecError:
    return SpecError(f"open_clip builds {model} with the wrong activation", hint=f"use {right}")


@contextmanager
def _reachable_or_offline(place: str) -> Iterator[None]:
    """Takes files from the hub's cache alone where the hub does not answer: its many retries last a minute."""
    from huggingface_hub import HfApi, constants, errors

    before = constants.HF_HUB_OFFLINE
    if place and not before:
        try:
            HfApi().model_info(place.rpartition("/")[0], timeout=SECONDS_TO_ANSWER)
        except errors.HTTPError:  # type: ignore[attr-defined]  # the base of all, also where no answer comes
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _weights_of(params: OpenClipParams) -> Any:
    return reading(
        f"open_clip:{params.model}: weights are not available",
        MissingDependency,
        "prefetch them into the hub cache, or name a local checkpoint file after the slash",
    )


class ClipFolder(Encoder[P]):
    """A CLIP vision model with projection in transformers' layout, un-normalised as IP-Adapter takes it."""

    references = (CLIP,)

    def source(self) -> str:
        raise NotImplementedError

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Network and preparation."""
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        source = self.source()
        # quiet: transformers would report the text tower in the folder of a whole CLIP as unexpected
        with _folder_of(source), quiet():
            net = CLIPVisionModelWithProjection.from_pretrained(source, use_safetensors=True)
            processor = AutoImageProcessor.from_pretrained(source)
        return net.eval().to(self.context.device), processor

    @property
    def dim(self) -> int:
        return int(self._loaded[0].config.projection_dim)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        import torch

        net, processor = self._loaded

        @torch.inference_mode()
        def features(batch: Sequence[Pixels]) -> Floats:
            x = processor(images=[Image.fromarray(p) for p in batch], return_tensors="pt")["pixel_values"]
            return net(pixel_values=x.to(self.context.device)).image_embeds.float().cpu().numpy()

        return in_batches(features, images, BATCH, self.dim)

    @property
    def side(self) -> int:
        return int(self._loaded[0].config.image_size)

    def embed(self, images: Tensor) -> Tensor:
        """As :class:`rebeca.encoders.gradients.Differentiable` says: resized by the shorter side, centre cropped."""
        import torch
        from torchvision.transforms.functional import center_crop

        net, processor = self._loaded
        height, width = images.shape[2:]
        short = min(height, width)
        size = (self.side * height // short, self.side * width // short)  # rounded down, as transformers does
        square = center_crop(resized(images, *size), [self.side, self.side])
        mean, deviation = (
            torch.tensor(channels, device=images.device).view(3, 1, 1)
            for channels in (processor.image_mean, processor.image_std)
        )
        embeddings: Tensor = net(pixel_values=(square - mean) / deviation).image_embeds
        return embeddings


@dataclass(frozen=True, slots=True)
class TransformersParams:
    """Parameters of a task file.

    Attributes:
        source: A repository of the hub, or a folder relative to the task file; given after the colon.
    """

    PATHS: ClassVar[tuple[str, ...]] = ("source",)
    source: str


class Transformers(ClipFolder[TransformersParams]):
    """``transformers:<repository or folder>``."""

    Params = TransformersParams
    ARGUMENT = "source"

    @classmethod
    def fingerprint(cls, params: TransformersParams) -> str:
        folder = Path(params.source)
        with _folder_of(params.source):
            if not folder.is_dir():
                from huggingface_hub import snapshot_download

                folder = Path(snapshot_download(params.source, local_files_only=True))
            files = {path.name: path for path in folder.iterdir() if path.suffix in (".json", ".safetensors")}
            if not any(name.endswith(".safetensors") for name in files):
                raise ValueError(f"{folder} holds no safetensors")
            return hash_of_files(files)

    def source(self) -> str:
        return self.params.source


def _folder_of(source: str) -> Any:
    return reading(
        f"transformers:{source}: not available",
        MissingDependency,
        f"hf download {source}, or give a folder with config.json, preprocessor_config.json and model.safetensors",
    )


@dataclass(frozen=True, slots=True)
class TinyworldEncoderParams:
    """Parameters of a task file.

    Attributes:
        name: One of the miniature's three CLIPs; given after the colon.
    """

    name: Literal["prior-encoder", "verifier-encoder", "auditor-encoder"]


class TinyworldEncoder(ClipFolder[TinyworldEncoderParams]):
    """``tinyworld:<name>``: one of the miniature's three CLIPs, whose weights are shipped."""

    Params = TinyworldEncoderParams
    ARGUMENT = "name"

    @classmethod
    def space(cls, params: TinyworldEncoderParams) -> str:
        return f"tinyworld:{params.name}"

    @classmethod
    def fingerprint(cls, params: TinyworldEncoderParams) -> str:
        return f"{file_hash(weights_file(params.name))}/{LAYOUT}"

    def source(self) -> str:
        return str(layouts() / "clip" / self.params.name)
