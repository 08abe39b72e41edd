"""Stable Diffusion with IP-Adapter as a decoder: embeddings or prompts in, images out, users mixed in a batch.

Stock diffusers repeats and splits the image embeddings of a batch in a way that mixes its images (diffusers issue
9813); the pipeline here hands them through row by row. Every image draws its noise from a generator of its own, and
short batches are filled up, so that an image does not depend on what is made beside it.
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

if TYPE_CHECKING:
    from torch import Tensor

from rebeca.arrays import Floats, Pixels
from rebeca.device import empty_cache, on_processor, precision
from rebeca.errors import MissingDependency, PluginError, SpecError, did_you_mean, out_of_memory
from rebeca.hashes import tree_hash
from rebeca.interfaces import Decoder, DecoderContext, GeneratedImage, Request, whole_users
from rebeca.params import AtLeastOne, Count, NotNegative
from rebeca.published import identity, is_published, locate
from rebeca.quiet import quiet
from rebeca.seeds import digest_of, substream, torch_generator
from rebeca.weights import reading

TINYWORLD = "tinyworld"
LORA_FILE = "pytorch_lora_weights.safetensors"
USER = "{user}"
MOST_COMPILED = 64
"""Kernels of one block: another batch, guidance off or the adapter off needs others, and torch stops at eight."""
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Files:
    """Which weights a pipeline is made of, and how they are held; see :class:`StableDiffusionParams`."""

    model: str
    revision: str | None
    adapter: str
    adapter_revision: str | None
    adapter_file: str
    dtype: str
    channels_last: bool = False
    compile: bool = False


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
        adapter_scale: How much the embedding says.
        prompt: Words beside the embedding.
        negative_prompt: Words to stay away from, with guidance.
        size: Side of an image in pixels; the model's own where None.
        batch: Images at once; halved before the first image where a device has no memory for so many.
        dtype: ``float32``, ``float16``, ``bfloat16``, or ``auto``: half precision on a GPU, single elsewhere.
        channels_last: The UNet's and the autoencoder's memory layout; faster on a GPU, and then images may depend on
            the batch in their last bit.
        compile: Compile the UNet; pays on a GPU after some hundred images.
        lora: Folder of a LoRA for this generator, relative to the task file; ``{user}`` in it names one per user.
        lora_scale: How much it says.
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
    def files(self) -> Files:
        """What :func:`load_pipeline` depends on."""
        return Files(
            self.model,
            self.revision,
            self.adapter,
            self.adapter_revision,
            self.adapter_file,
            self.dtype,
            self.channels_last,
            self.compile,
        )


class StableDiffusion(Decoder[StableDiffusionParams]):
    """``stable-diffusion-ip-adapter``.

    Source: Ye et al. 2023, IP-Adapter, arXiv 2308.06721; Rombach et al. 2022, arXiv 2112.10752.
    """

    Params = StableDiffusionParams

    def __init__(self, params: StableDiffusionParams, context: DecoderContext) -> None:
        super().__init__(params, context)
        self.batch: int = params.batch

    @classmethod
    def fingerprint(cls, params: StableDiffusionParams) -> str:
        """SHA-256 over the files that decoding reads."""
        base = weights_of(params.files)
        return base if params.lora is None else digest_of([base, lora_digest(params.lora)])

    def rehearse(self, batch: int | None = None) -> int:
        """Finds how many images fit on the device, before the first one counts.

        Args:
            batch: What an earlier rehearsal found; then nothing is tried.

        Returns:
            The batch that is used from now on: the one asked for, or the largest half of halves that fits.
        """
        self.batch = batch or self.params.batch
        if batch is not None or not self._elsewhere:
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
            empty_cache()  # here, where the error that holds what was computed is gone

    @property
    def _elsewhere(self) -> bool:
        """Whether the device has a memory of its own."""
        return not on_processor(self.context.device)

    def _try(self) -> None:
        width = _adapter_width(load_pipeline(self.params.files, self.context.device))
        requests = [Request("nobody", k, k) for k in range(self.batch)]
        empty = [""] * self.batch
        once = StableDiffusion(replace(self.params, steps=1, lora=None), self.context)
        once.batch = self.batch
        list(once.paint(requests, empty, empty, np.zeros((self.batch, width), np.float32)))

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """One image per request; the vector that the adapter was given is kept as the image's embedding."""
        p = self.params
        words, vectors = [p.prompt] * len(requests), self.context.space.inverse(points)
        pixels = self.paint(requests, words, [p.negative_prompt] * len(requests), vectors)
        for made, vector in zip(pixels, vectors, strict=True):
            yield None if made is None else GeneratedImage(made, np.asarray(vector, np.float32))

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterator[GeneratedImage | None]:
        """One image per request from words alone, with the adapter off."""
        pixels = self.paint(requests, prompts, negative_prompts, None)
        return (None if made is None else GeneratedImage(made) for made in pixels)

    def paint(
        self,
        requests: Sequence[Request],
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        embeddings: Floats | None,
    ) -> Iterator[Pixels | None]:
        """uint8 RGB images, one per request; None for one that holds numbers which are not finite. A batch at a time.

        Args:
            requests: Whose seeds draw the noise.
            prompts: Words of each image.
            negative_prompts: Words to stay away from.
            embeddings: float [n, dim] un-normalised image embeddings, or None to leave the adapter off.
        """
        pipe = load_pipeline(self.params.files, self.context.device)
        for folder, first, last in self._groups(requests):
            with _lora(pipe, folder, self.params.lora_scale):
                words = _encode_words(pipe, {*prompts[first:last], *negative_prompts[first:last]}, self.context.device)
                for start in range(first, last, self.batch):
                    rows = [min(i, last - 1) for i in range(start, start + self.batch)]
                    made = self._batch(
                        pipe,
                        [requests[i].seed for i in rows],
                        [words[prompts[i]] for i in rows],
                        [words[negative_prompts[i]] for i in rows],
                        None if embeddings is None else embeddings[rows],
                    )
                    yield from made[: last - start]

    def _groups(self, requests: Sequence[Request]) -> list[tuple[Path | None, int, int]]:
        """Runs of requests that share a LoRA: its folder, the first and one after the last."""
        if self.params.lora is None or USER not in self.params.lora:
            return [(None if self.params.lora is None else Path(self.params.lora), 0, len(requests))]
        groups: list[tuple[Path | None, int, int]] = []
        start = 0
        for own in whole_users(requests):
            groups.append((lora_of(self.params.lora, own[0].user), start, start + len(own)))
            start += len(own)
        return groups

    def _batch(
        self, pipe: Any, seeds: Sequence[int], words: Sequence[Any], negative: Sequence[Any], vectors: Floats | None
    ) -> list[Pixels | None]:
        import torch

        p = self.params
        pipe.set_ip_adapter_scale(0.0 if vectors is None else p.adapter_scale)
        dtype = pipe.unet.dtype
        width = _adapter_width(pipe)
        embeds = torch.zeros(len(seeds), 1, width, dtype=dtype, device=self.context.device)
        if vectors is not None:
            if vectors.shape[1] != width:
                raise PluginError(
                    f"embeddings of {vectors.shape[1]} numbers for an adapter that takes {width}",
                    hint="the task's encoder must be the adapter's image encoder",
                )
            embeds[:, 0] = torch.as_tensor(vectors, dtype=dtype, device=self.context.device)
        guided = p.image_guidance > 1
        if guided:
            embeds = torch.cat([torch.zeros_like(embeds), embeds])
        size = p.size or pipe.unet.config.sample_size * pipe.vae_scale_factor
        pipe.scheduler = _scheduler(p.scheduler, pipe.scheduler.config)
        with torch.inference_mode():
            latents = pipe(
                prompt_embeds=torch.cat(list(words)),
                negative_prompt_embeds=torch.cat(list(negative)) if guided else None,
                ip_adapter_image_embeds=[embeds],
                generator=[torch_generator(substream(seed, "decoder")) for seed in seeds],
                num_inference_steps=p.steps,
                guidance_scale=p.image_guidance,
                height=size,
                width=size,
                output_type="latent",
            ).images
            raw = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
            made = pipe.image_processor.postprocess(raw, output_type="pt")
        finite = torch.isfinite(raw).flatten(1).all(dim=1).tolist()  # before they are clamped, which hides infinities
        pixels: Pixels = (made.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return [picture if fine else None for picture, fine in zip(pixels, finite, strict=True)]


@cache
def load_pipeline(files: Files, device: str) -> Any:
    """A pipeline with its adapter, kept for the process.

    Raises:
        MissingDependency: If weights are not there.
    """
    import torch
    from diffusers import StableDiffusionPipeline

    class RowByRow(StableDiffusionPipeline):  # type: ignore[misc]
        """Hands image embeddings, [2 n, 1, dim] with guidance, to the UNet as they are."""

        def prepare_ip_adapter_image_embeds(
            self, ip_adapter_image: Any, ip_adapter_image_embeds: Any, *rest: Any, **named: Any
        ) -> Any:
            return ip_adapter_image_embeds

    folder, (adapter_folder, adapter_name) = _model(files.model), _adapter(files.adapter, files.adapter_file)
    message = f"decoder: '{files.model}' with adapter '{files.adapter}' cannot be loaded"
    hint = "give folders, or prefetch with: hf download REPOSITORY --revision COMMIT"
    with reading(message, MissingDependency, hint), quiet():
        pipe = RowByRow.from_pretrained(
            folder,
            revision=files.revision,
            dtype=getattr(torch, precision(files.dtype, device)),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            use_safetensors=True,
            low_cpu_mem_usage=False,
        )
        pipe.load_ip_adapter(
            adapter_folder,
            subfolder="models",
            weight_name=adapter_name,
            image_encoder_folder=None,
            revision=files.adapter_revision,
            low_cpu_mem_usage=False,
        )
        _adapter_width(pipe)
    pipe.set_progress_bar_config(disable=True)
    pipe = pipe.to(device)
    if not on_processor(device):
        pipe.vae.enable_slicing()  # at a batch of 32 a layer would hold 2**31 numbers
    if files.channels_last:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    if files.compile:
        torch._dynamo.config.recompile_limit = MOST_COMPILED
        pipe.unet.compile_repeated_blocks(fullgraph=True)
    return pipe


def lora_of(pattern: str, user: str) -> Path:
    """The folder of a user's LoRA.

    Raises:
        PluginError: If the id leads out of the folder that the pattern names.
    """
    root = Path(pattern.partition(USER)[0]).resolve()
    folder = Path(pattern.replace(USER, user)).resolve()
    if not folder.is_relative_to(root if root.is_dir() else root.parent):
        raise PluginError(f"decoder.lora: user id '{user}' points outside {root}")
    return folder


def lora_digest(pattern: str) -> str:
    """SHA-256 over the LoRA, or over everybody's."""
    root = Path(pattern.partition(USER)[0]) if USER in pattern else Path(pattern)
    return tree_hash(root if root.is_dir() else root.parent)


@contextmanager
def _lora(pipe: Any, folder: Path | None, scale: float) -> Iterator[None]:
    """The pipeline with a LoRA in it, which is taken out again, whatever happens."""
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


def weights_of(files: Files) -> str:
    """SHA-256 over names and contents of folders, and over commits of repositories.

    Raises:
        SpecError: If a repository has no commit, and could hold something else tomorrow.
    """
    found = (
        _contents(files.model, files.revision, "revision"),
        _contents(files.adapter, files.adapter_revision, "adapter_revision"),
    )
    if files.model == files.adapter == TINYWORLD:
        return found[0]
    return digest_of([*found, files.adapter_file, files.dtype])


def _contents(name: str, commit: str | None, key: str) -> str:
    if name == TINYWORLD:
        from rebeca.tinyworld.models import weights_digest

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
    """Numbers of an embedding; adapters of another kind ("plus", "full") have no such layer."""
    return int(pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features)


def _model(name: str) -> str:
    if is_published(name):
        return str(locate(name))
    if name != TINYWORLD:
        return name
    from rebeca.tinyworld.models import STABLE_DIFFUSION, layouts

    return str(layouts() / STABLE_DIFFUSION)


def _adapter(name: str, file: str) -> tuple[str, str]:
    if is_published(name):
        return str(locate(name)), file
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


def _encode_words(pipe: Any, texts: set[str], device: str) -> dict[str, Tensor]:
    """Each different text once, in an order of their own."""
    import torch

    with torch.inference_mode():
        return {text: pipe.encode_prompt([text], device, 1, False)[0] for text in sorted(texts)}
