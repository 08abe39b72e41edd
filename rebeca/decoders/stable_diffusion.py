"""Stable Diffusion with IP-Adapter as a decoder: embeddings or prompts in, pictures out, people mixed in a batch.

Stock diffusers repeats and splits the image embeddings of a batch in a way that mixes its pictures (diffusers issue
9813); the pipeline here hands them through row by row. Every picture draws its noise from a generator of its own, and
short batches are filled up, so that a picture does not depend on what is made beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.data.catalogue import Candidates, Catalogue
from rebeca.errors import GeneratorError, MissingDependency, SpecError, did_you_mean
from rebeca.interfaces import Decoder, Picture, Request, Space
from rebeca.params import Count, NotNegative
from rebeca.quiet import quiet
from rebeca.seeds import digest_of, substream, torch_generator
from rebeca.weights import folder_digest, reading

TINYWORLD = "tinyworld"
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class StableDiffusionParams:
    """Parameters of a task file.

    Attributes:
        model: ``tinyworld``, a folder, or a repository in the layout of Stable Diffusion 1.5.
        revision: Commit of the repository.
        adapter: ``tinyworld``, or a folder or repository in the layout of IP-Adapter.
        adapter_revision: Commit of that repository.
        adapter_file: The adapter below ``models/``.
        scheduler: A diffusers scheduler class.
        steps: Solver steps.
        image_guidance: Guidance scale; 1 is without guidance.
        adapter_scale: How much the embedding says.
        prompt: Words beside the embedding.
        negative_prompt: Words to stay away from, with guidance.
        size: Side of a picture in pixels; the model's own where None.
        batch: Pictures at once.
        dtype: ``float32``, ``float16`` or ``bfloat16``.
    """

    model: str = TINYWORLD
    revision: str | None = None
    adapter: str = TINYWORLD
    adapter_revision: str | None = None
    adapter_file: str = "ip-adapter_sd15.safetensors"
    scheduler: str = "DPMSolverMultistepScheduler"
    steps: Count = 12
    image_guidance: NotNegative = 2.0
    adapter_scale: NotNegative = 1.0
    prompt: str = ""
    negative_prompt: str = ""
    size: Count | None = None
    batch: Count = 32
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    @property
    def files(self) -> tuple[str, str | None, str, str | None, str, str]:
        """What :func:`load_pipeline` depends on."""
        return (self.model, self.revision, self.adapter, self.adapter_revision, self.adapter_file, self.dtype)


class StableDiffusion(Decoder):
    """``stable-diffusion-ip-adapter``."""

    Params = StableDiffusionParams

    def __init__(self, params: StableDiffusionParams, space: Space, device: str = "cpu") -> None:
        self.params, self.space, self.device = params, space, device

    @classmethod
    def bind(
        cls,
        catalogue: Catalogue,
        embeddings: Floats,
        candidates: Candidates,
        params: StableDiffusionParams,
        space: Space,
        device: str,
    ) -> StableDiffusion:
        """The decoder for a prior that works in ``space``; the catalogue plays no part."""
        return cls(params, space, device)

    @classmethod
    def weights(cls, params: StableDiffusionParams) -> str:
        """SHA-256 over the files that decoding reads."""
        return weights_of(params.files)

    def decode(self, points: Floats, requests: Sequence[Request]) -> list[Picture]:
        """One picture a request; the vector that the adapter was given is kept as the picture's embedding."""
        p = self.params
        words, vectors = [p.prompt] * len(requests), self.space.inverse(points)
        pixels = self.paint(requests, words, [p.negative_prompt] * len(requests), vectors)
        return [Picture(made, np.asarray(vector, np.float32)) for made, vector in zip(pixels, vectors, strict=True)]

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> list[Picture]:
        """One picture a request from words alone, with the adapter off."""
        return [Picture(made) for made in self.paint(requests, prompts, negative_prompts, None)]

    def paint(
        self,
        requests: Sequence[Request],
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        embeddings: Floats | None,
    ) -> list[Pixels]:
        """uint8 RGB pictures, one a request.

        Args:
            requests: Whose seeds draw the noise.
            prompts: Words of each picture.
            negative_prompts: Words to stay away from.
            embeddings: float [n, dim] un-normalised image embeddings, or None to leave the adapter off.
        """
        pipe = load_pipeline(self.params.files, self.device)
        pipe.set_ip_adapter_scale(0.0 if embeddings is None else self.params.adapter_scale)
        words = _encode_words(pipe, {*prompts, *negative_prompts}, self.device)
        out: list[Pixels] = []
        for start in range(0, len(requests), self.params.batch):
            rows = [min(i, len(requests) - 1) for i in range(start, start + self.params.batch)]
            vectors = None if embeddings is None else embeddings[rows]
            made = self._batch(
                pipe,
                [requests[i].seed for i in rows],
                [words[prompts[i]] for i in rows],
                [words[negative_prompts[i]] for i in rows],
                vectors,
            )
            out += list(made[: len(requests) - start])
        return out

    def _batch(
        self, pipe: Any, seeds: Sequence[int], words: Sequence[Any], negative: Sequence[Any], vectors: Floats | None
    ) -> Pixels:
        import torch

        p = self.params
        dtype = pipe.unet.dtype
        width = _adapter_width(pipe)
        embeds = torch.zeros(len(seeds), 1, width, dtype=dtype, device=self.device)
        if vectors is not None:
            if vectors.shape[1] != width:
                raise GeneratorError(
                    f"embeddings of {vectors.shape[1]} numbers for an adapter that takes {width}",
                    hint="the task's encoder must be the adapter's image encoder",
                )
            embeds[:, 0] = torch.as_tensor(vectors, dtype=dtype, device=self.device)
        guided = p.image_guidance > 1
        if guided:
            embeds = torch.cat([torch.zeros_like(embeds), embeds])
        size = p.size or pipe.unet.config.sample_size * pipe.vae_scale_factor
        pipe.scheduler = _scheduler(p.scheduler, pipe.scheduler.config)
        with torch.inference_mode():
            made = pipe(
                prompt_embeds=torch.cat(list(words)),
                negative_prompt_embeds=torch.cat(list(negative)) if guided else None,
                ip_adapter_image_embeds=[embeds],
                generator=[torch_generator(substream(seed, "decoder")) for seed in seeds],
                num_inference_steps=p.steps,
                guidance_scale=p.image_guidance,
                height=size,
                width=size,
                output_type="pt",
            ).images
        pixels: Pixels = (made.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return pixels


@cache
def load_pipeline(files: tuple[str, str | None, str, str | None, str, str], device: str) -> Any:
    """A pipeline with its adapter, kept for the process.

    Raises:
        MissingDependency: If weights are not there.
    """
    import torch
    from diffusers import StableDiffusionPipeline

    model, revision, adapter, adapter_revision, adapter_file, dtype = files

    class RowByRow(StableDiffusionPipeline):  # type: ignore[misc]
        """Hands image embeddings, [2 n, 1, dim] with guidance, to the UNet as they are."""

        def prepare_ip_adapter_image_embeds(
            self, ip_adapter_image: Any, ip_adapter_image_embeds: Any, *rest: Any, **named: Any
        ) -> Any:
            return ip_adapter_image_embeds

    folder, (adapter_folder, adapter_name) = _model(model), _adapter(adapter, adapter_file)
    message = f"decoder: '{model}' with adapter '{adapter}' cannot be loaded"
    hint = "give folders, or prefetch with: hf download REPOSITORY --revision COMMIT"
    with reading(message, MissingDependency, hint), quiet():
        pipe = RowByRow.from_pretrained(
            folder, revision=revision, dtype=getattr(torch, dtype), safety_checker=None,
            requires_safety_checker=False, use_safetensors=True, low_cpu_mem_usage=False,
        )  # fmt: skip
        pipe.load_ip_adapter(
            adapter_folder, subfolder="models", weight_name=adapter_name, image_encoder_folder=None,
            revision=adapter_revision, low_cpu_mem_usage=False,
        )  # fmt: skip
        _adapter_width(pipe)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


@cache
def weights_of(files: tuple[str, str | None, str, str | None, str, str]) -> str:
    """SHA-256 over names and contents of folders, and over commits of repositories.

    Raises:
        SpecError: If a repository has no commit, and could hold something else tomorrow.
    """
    model, revision, adapter, adapter_revision, adapter_file, dtype = files
    found = _contents(model, revision, "revision"), _contents(adapter, adapter_revision, "adapter_revision")
    if model == adapter == TINYWORLD:
        return found[0]
    return digest_of([*found, adapter_file, dtype])


def _contents(name: str, commit: str | None, key: str) -> str:
    if name == TINYWORLD:
        from rebeca.tinyworld.models import weights_digest

        return weights_digest()
    if Path(name).is_dir():
        return folder_digest(Path(name))
    if commit is None or not COMMIT.fullmatch(commit):
        raise SpecError(
            f"decoder.params.{key}: '{name}' is no folder here, and a repository needs its commit, found {commit!r}",
            hint="40 hexadecimal digits; the repository's page lists its commits",
        )
    return f"{name}@{commit}"


def _adapter_width(pipe: Any) -> int:
    """Numbers of an embedding; adapters of another kind ("plus", "full") have no such layer."""
    return int(pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features)


def _model(name: str) -> str:
    if name != TINYWORLD:
        return name
    from rebeca.tinyworld.models import STABLE_DIFFUSION, layouts

    return str(layouts() / STABLE_DIFFUSION)


def _adapter(name: str, file: str) -> tuple[str, str]:
    if name != TINYWORLD:
        return name, file
    from rebeca.tinyworld.models import ADAPTER, layouts

    return str(layouts() / ADAPTER.parts[0]), ADAPTER.name


def _scheduler(name: str, config: Any) -> Any:
    import diffusers

    kind = getattr(diffusers, name, None)
    if kind is None or not name.endswith("Scheduler"):
        known = [n for n in dir(diffusers) if n.endswith("Scheduler")]
        raise SpecError(f"decoder.params.scheduler: diffusers has no '{name}'", hint=did_you_mean(name, known))
    return kind.from_config(config)


def _encode_words(pipe: Any, texts: set[str], device: str) -> dict[str, Any]:
    """Each different text once, in an order of their own."""
    import torch

    with torch.inference_mode():
        return {text: pipe.encode_prompt([text], device, 1, False)[0] for text in sorted(texts)}
