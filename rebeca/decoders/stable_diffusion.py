"""Stable Diffusion with IP-Adapter as a decoder: embeddings or prompts in, images out. A batch may mix users.

Stock diffusers repeats and splits the image embeddings of a batch in a way that mixes its images (diffusers issue
9813); the pipeline here passes them on row by row. Every image draws its noise from a random generator of its own, and
short batches are filled up, so that an image does not depend on the others of its batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.decoders.checks import SCHEDULER, TINYWORLD, check_scheduler, cut_prompts
from rebeca.decoders.ip_adapter import check_adapter, encoder_of
from rebeca.device import empty_cache, on_processor, precision
from rebeca.errors import MissingDependency, PluginError, SpecError, out_of_memory
from rebeca.hashes import tree_hash
from rebeca.interfaces import Decoder, DecoderContext, GeneratedImage, Request, whole_users
from rebeca.params import AtLeastOne, Count, NotNegative
from rebeca.published import identity, is_published, locate
from rebeca.references import IP_ADAPTER, LATENT_DIFFUSION
from rebeca.schedulers import scheduler_class
from rebeca.seeds import digest_of, substream, torch_generator
from rebeca.tinyworld.models import ADAPTER, STABLE_DIFFUSION, layouts, weights_digest
from rebeca.weights import quiet, reading

if TYPE_CHECKING:
    from torch import Tensor

LORA_FILE = "pytorch_lora_weights.safetensors"
USER = "{user}"
MOST_COMPILED = 64
"""Kernels of one block. Another batch size, no guidance, and no adapter each need their own; torch's limit is eight."""
REHEARSED_STEPS = 3
"""Solver steps of a rehearsal; from the second on, a solver holds earlier results in memory."""
COMMIT = re.compile("[0-9a-f]{40}")
SPACES = {
    (TINYWORLD, "ip-adapter_sd15.safetensors"): "tinyworld:prior-encoder",
    ("published:ip-adapter-sd15", "ip-adapter_sd15.safetensors"): "published:vit-h",
}
"""The image encoders that known adapters were trained with."""
OF_PIPELINE = (
    *("model", "revision", "adapter", "adapter_revision", "adapter_file"),
    *("dtype", "channels_last", "compile"),
)
"""Parameters that a loaded pipeline depends on."""


@dataclass(frozen=True, slots=True)
class StableDiffusionParams:
    """Parameters of a task file.

    Attributes:
        model: ``tinyworld``, ``published:sd15``, a folder, or a repository in the layout of Stable Diffusion 1.5.
        revision: Commit of the repository.
        adapter: ``tinyworld``, ``published:ip-adapter-sd15``, or a folder or repository in the layout of IP-Adapter.
        adapter_revision: Commit of that repository.
        adapter_file: The adapter below ``models/``.
        scheduler: A diffusers scheduler class.
        steps: Solver steps.
        image_guidance: Guidance scale; 1 is without guidance.
        adapter_scale: Weight of the embedding.
        prompt: Prompt beside the embedding.
        negative_prompt: Negative prompt, used with guidance.
        size: Side of an image in pixels; the model's own where None.
        batch: Images per batch; halved before the first image where a device has no memory for so many.
        dtype: ``float32``, ``float16``, ``bfloat16``, or ``auto``: half precision on a GPU, single elsewhere.
        channels_last: The UNet's and the autoencoder's memory layout; faster on a GPU, and then images may depend on
            the batch in their last bit.
        compile: Compile the UNet; pays on a GPU after some hundred images.
        lora: Folder of a LoRA for this generator, relative to the task file; ``{user}`` in it names one per user.
        lora_scale: Its weight.
    """

    model: str = TINYWORLD
    revision: str | None = None
    adapter: str = TINYWORLD
    adapter_revision: str | None = None
    adapter_file: str = "ip-adapter_sd15.safetensors"
    scheduler: str = "DPMSolverMultistepScheduler"
    steps: Count = 12
    image_guidance: AtLeastOne = 2.0
    adapter_scale: NotNegative = 1.0
    prompt: str = ""
    negative_prompt: str = ""
    size: Count | None = None
    batch: Count = 32
    dtype: Literal["float32", "float16", "bfloat16", "auto"] = "float32"
    channels_last: bool = False
    compile: bool = False
    lora: str | None = None
    lora_scale: NotNegative = 1.0
    PATHS: ClassVar[tuple[str, ...]] = ("model", "adapter")
    FILES: ClassVar[tuple[str, ...]] = ("lora",)

    @property
    def of_pipeline(self) -> StableDiffusionParams:
        """These parameters with all others at their defaults, so that equal pipelines are loaded once."""
        return StableDiffusionParams(**{name: getattr(self, name) for name in OF_PIPELINE})


class StableDiffusion(Decoder[StableDiffusionParams]):
    """``stable-diffusion-ip-adapter``.

    Source: Ye et al. 2023, IP-Adapter, arXiv 2308.06721; Rombach et al. 2022, arXiv 2112.10752.
    """

    Params = StableDiffusionParams
    references = (LATENT_DIFFUSION, IP_ADAPTER)

    def __init__(self, params: StableDiffusionParams, context: DecoderContext) -> None:
        super().__init__(params, context)
        self.batch: int = params.batch

    @classmethod
    def fingerprint(cls, params: StableDiffusionParams) -> str:
        base = weights_of(params)
        return base if params.lora is None else digest_of([base, lora_digest(params.lora)])

    @classmethod
    def check(cls, params: StableDiffusionParams) -> None:
        check_scheduler(params.model, params.revision, params.scheduler, params.steps)

    @classmethod
    def cut(cls, params: StableDiffusionParams, prompts: Sequence[str]) -> Sequence[str] | None:
        return cut_prompts(params.model, params.revision, [params.prompt, params.negative_prompt, *prompts])

    @classmethod
    def space(cls, params: StableDiffusionParams) -> str:
        return SPACES.get((params.adapter, params.adapter_file), "")

    def rehearse(self, batch: int | None = None) -> int:
        """Finds how many images fit on the device, before the first one counts.

        Args:
            batch: Result of an earlier rehearsal; then nothing is tried.

        Returns:
            The batch that is used from now on: the one asked for, halved until it fits.
        """
        self.batch = batch or self.params.batch
        if batch is not None or not self._has_own_memory:
            return self.batch
        while True:
            try:
                self._try()
            except RuntimeError as error:
                if not out_of_memory(error) or self.batch == 1:
                    raise
            else:
                return self.batch
            self.batch //= 2
            empty_cache()  # after the handler, since the error keeps the batch in memory

    @property
    def _has_own_memory(self) -> bool:
        return not on_processor(self.context.device)

    def _try(self) -> None:
        width = _adapter_width(load_pipeline(self.params.of_pipeline, self.context.device))
        requests = [Request("nobody", k, k) for k in range(self.batch)]
        empty = [""] * self.batch
        steps = min(self.params.steps, REHEARSED_STEPS)
        decoder = StableDiffusion(replace(self.params, steps=steps, lora=None), self.context)
        decoder.batch = self.batch
        list(decoder.generate_pixels(requests, empty, empty, np.zeros((self.batch, width), np.float32)))

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """One image per request; its ``embedding`` is the vector that the adapter was given."""
        prompts = [self.params.prompt] * len(requests)
        negative_prompts = [self.params.negative_prompt] * len(requests)
        vectors = self.context.space.inverse(points)
        images = self.generate_pixels(requests, prompts, negative_prompts, vectors)
        for pixels, vector in zip(images, vectors, strict=True):
            yield None if pixels is None else GeneratedImage(pixels, np.asarray(vector, np.float32))

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterator[GeneratedImage | None]:
        """One image per request from prompts alone, with the adapter off."""
        for pixels in self.generate_pixels(requests, prompts, negative_prompts, None):
            yield None if pixels is None else GeneratedImage(pixels)

    def generate_pixels(
        self,
        requests: Sequence[Request],
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        embeddings: Floats | None,
    ) -> Iterator[Pixels | None]:
        """uint8 RGB images, one per request, batch by batch; None where a number is not finite.

        Args:
            requests: Whose seeds draw the noise.
            prompts: Prompt of each image.
            negative_prompts: Negative prompt of each image.
            embeddings: float [n, dim] un-normalised image embeddings, or None to leave the adapter off.
        """
        pipe = load_pipeline(self.params.of_pipeline, self.context.device)
        for folder, first, last in self._groups(requests):
            with _lora(pipe, folder, self.params.lora_scale):
                encoded = _encode_texts(
                    pipe, {*prompts[first:last], *negative_prompts[first:last]}, self.context.device
                )
                for start in range(first, last, self.batch):
                    rows = [min(i, last - 1) for i in range(start, start + self.batch)]
                    images = self._batch(
                        pipe,
                        [requests[i].seed for i in rows],
                        [encoded[prompts[i]] for i in rows],
                        [encoded[negative_prompts[i]] for i in rows],
                        None if embeddings is None else embeddings[rows],
                    )
                    yield from images[: last - start]

    def _groups(self, requests: Sequence[Request]) -> list[tuple[Path | None, int, int]]:
        """Runs of requests that share a LoRA: its folder, the first request and one after the last."""
        lora = self.params.lora
        if lora is None or USER not in lora:
            return [(None if lora is None else Path(lora), 0, len(requests))]
        groups: list[tuple[Path | None, int, int]] = []
        start = 0
        for own in whole_users(requests):
            groups.append((lora_of(lora, own[0].user), start, start + len(own)))
            start += len(own)
        return groups

    def _batch(
        self, pipe: Any, seeds: Sequence[int], prompts: list[Tensor], negative: list[Tensor], vectors: Floats | None
    ) -> list[Pixels | None]:
        import torch

        p = self.params
        pipe.set_ip_adapter_scale(0.0 if vectors is None else p.adapter_scale)
        dtype, width = pipe.unet.dtype, _adapter_width(pipe)
        embeds = torch.zeros(len(seeds), 1, width, dtype=dtype, device=self.context.device)
        if vectors is not None:
            if vectors.shape[1] != width:
                raise PluginError(
                    f"embeddings of {vectors.shape[1]} numbers for an adapter that takes {width}",
                    hint=f"the task's encoder must be the adapter's image encoder, {encoder_of(width)}",
                )
            embeds[:, 0] = torch.as_tensor(vectors, dtype=dtype, device=self.context.device)
        guided = p.image_guidance > 1
        if guided:
            embeds = torch.cat([torch.zeros_like(embeds), embeds])
        size = p.size or pipe.unet.config.sample_size * pipe.vae_scale_factor
        pipe.scheduler = scheduler_class(p.scheduler, SCHEDULER).from_config(pipe.scheduler.config)
        generators = [torch_generator(substream(seed, "decoder")) for seed in seeds]
        shape = (pipe.unet.config.in_channels, size // pipe.vae_scale_factor, size // pipe.vae_scale_factor)
        # in single precision, since some releases of torch draw other numbers in half
        noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        with torch.inference_mode():
            latents = pipe(
                prompt_embeds=torch.cat(prompts),
                negative_prompt_embeds=torch.cat(negative) if guided else None,
                ip_adapter_image_embeds=[embeds],
                generator=generators,
                latents=noise.to(self.context.device, dtype),
                num_inference_steps=p.steps,
                guidance_scale=p.image_guidance,
                height=size,
                width=size,
                output_type="latent",
            ).images
            raw = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
            clamped = pipe.image_processor.postprocess(raw, output_type="pt")
        finite = torch.isfinite(raw).flatten(1).all(dim=1).tolist()  # clamping hides infinities
        pixels: Pixels = (clamped.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return [image if is_finite else None for image, is_finite in zip(pixels, finite, strict=True)]


@cache
def load_pipeline(params: StableDiffusionParams, device: str) -> Any:
    """A pipeline with its adapter, kept for the process.

    Args:
        params: See :attr:`StableDiffusionParams.of_pipeline`.
        device: Torch device.

    Raises:
        MissingDependency: If weights are missing.
    """
    import torch
    from diffusers import StableDiffusionPipeline

    class RowByRow(StableDiffusionPipeline):  # type: ignore[misc]
        """Passes image embeddings, [2 n, 1, dim] with guidance, to the UNet unchanged."""

        def prepare_ip_adapter_image_embeds(
            self, ip_adapter_image: Any, ip_adapter_image_embeds: Any, *rest: Any, **named: Any
        ) -> Any:
            return ip_adapter_image_embeds

    message = f"decoder: '{params.model}' with adapter '{params.adapter}' cannot be loaded"
    hint = "give folders, or prefetch with: hf download REPOSITORY --revision COMMIT"
    model, adapter = _source(params.model, STABLE_DIFFUSION), _source(params.adapter, ADAPTER.parts[0])
    with reading(message, MissingDependency, hint), quiet():
        pipe = RowByRow.from_pretrained(
            model,
            revision=params.revision,
            dtype=getattr(torch, precision(params.dtype, device)),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            use_safetensors=True,
            low_cpu_mem_usage=False,
        )
        pipe.load_ip_adapter(
            adapter,
            subfolder="models",
            weight_name=ADAPTER.name if params.adapter == TINYWORLD else params.adapter_file,
            image_encoder_folder=None,
            revision=params.adapter_revision,
            low_cpu_mem_usage=False,
        )
        _adapter_width(pipe)
    pipe.set_progress_bar_config(disable=True)
    pipe = pipe.to(device)
    if not on_processor(device):
        pipe.vae.enable_slicing()  # at a batch of 32 a layer would hold 2**31 numbers
    if params.channels_last:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    if params.compile:
        torch._dynamo.config.recompile_limit = MOST_COMPILED
        pipe.unet.compile_repeated_blocks(fullgraph=True)
    return pipe


def lora_of(pattern: str, user: str) -> Path:
    """The folder of a user's LoRA.

    Raises:
        PluginError: If the id points outside the folder that the pattern names.
    """
    root = Path(pattern.partition(USER)[0]).resolve()
    folder = Path(pattern.replace(USER, user)).resolve()
    if not folder.is_relative_to(root if root.is_dir() else root.parent):
        raise PluginError(f"decoder.lora: user id '{user}' points outside {root}")
    return folder


def lora_digest(pattern: str) -> str:
    """SHA-256 over the LoRA, or over those of all users."""
    root = Path(pattern.partition(USER)[0]) if USER in pattern else Path(pattern)
    return tree_hash(root if root.is_dir() else root.parent)


@contextmanager
def _lora(pipe: Any, folder: Path | None, scale: float) -> Iterator[None]:
    if folder is None:
        yield
        return
    message, hint = f"decoder.lora: {folder} cannot be loaded", f"a folder with {LORA_FILE}, as diffusers writes it"
    with reading(message, MissingDependency, hint), quiet():
        try:
            pipe.load_lora_weights(str(folder), weight_name=LORA_FILE, adapter_name="lora", local_files_only=True)
        except ValueError as error:
            if "PEFT" in str(error):
                raise MissingDependency(
                    "decoder.lora needs the package peft", hint="pip install 'rebeca-bench[lora]'"
                ) from error
            raise
    pipe.set_adapters(["lora"], [scale])
    try:
        yield
    finally:
        pipe.unload_lora_weights()


def weights_of(params: StableDiffusionParams) -> str:
    """SHA-256 over names and contents of folders, and over commits of repositories.

    Raises:
        SpecError: If a repository has no commit, so that its files could change, or if the adapter is for another
            base model.
    """
    model = _contents(params.model, params.revision, "revision")
    if params.model == params.adapter == TINYWORLD:
        return model
    adapter = _contents(params.adapter, params.adapter_revision, "adapter_revision")
    check_adapter(_adapter_path(params), Path(_source(params.model, STABLE_DIFFUSION)) / "unet" / "config.json")
    return digest_of([model, adapter, params.adapter_file, params.dtype])


def _contents(name: str, commit: str | None, key: str) -> str:
    if name == TINYWORLD:
        return weights_digest()
    if is_published(name):
        return identity(name)
    if Path(name).is_dir():
        return tree_hash(Path(name))
    if commit is None or not COMMIT.fullmatch(commit):
        raise SpecError(
            f"decoder.params.{key}: '{name}' is no folder here, and a repository needs its commit, found {commit!r}",
            hint="40 hexadecimal digits; the repository's page lists its commits",
        )
    return f"{name}@{commit}"


def _adapter_width(pipe: Any) -> int:
    """Numbers of an embedding; raises AttributeError for other kinds of adapter ("plus", "full")."""
    return int(pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features)


def _adapter_path(params: StableDiffusionParams) -> Path:
    """The adapter's file; below a repository's name where it is not on this machine."""
    name = ADAPTER.name if params.adapter == TINYWORLD else params.adapter_file
    return Path(_source(params.adapter, ADAPTER.parts[0])) / "models" / name


def _source(name: str, layout: str) -> str:
    """A folder, or a repository of the hub; for the miniature the folder of one of its layouts."""
    if name == TINYWORLD:
        return str(layouts() / layout)
    return str(locate(name)) if is_published(name) else name


def _encode_texts(pipe: Any, texts: set[str], device: str) -> dict[str, Tensor]:
    """Each different text once, in sorted order, so that a batch does not change them."""
    import torch

    with torch.inference_mode():
        return {text: pipe.encode_prompt([text], device, 1, False)[0] for text in sorted(texts)}
