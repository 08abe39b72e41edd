"""Part ``diffusion``: UNet and IP-Adapter together, on latents, captions and image embeddings.

Every fourth step sees text alone with the adapter off, as the pipeline without an embedding does. In the others the
caption is often left out, so that the embedding must carry the image. Places with more detail count more; otherwise
small things such as houses are learned last, or never. The best prediction is the same, since every place has its own.
A second training, "faithful", goes on from the first and also wants that the predicted image has the embedding that it
was made from, as identity losses do in adapters for faces (PuLID, Guo et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cosine_similarity

from rebeca.tinyworld.models import SCHEDULE, TEXT_WIDTH, UNET
from scripts.tinyworld.autoencoder import detail, latents
from scripts.tinyworld.clip import embeds_of, image_embeds
from scripts.tinyworld.data import TRAIN_POSTCARDS, postcards, random_rows, signed, token_ids
from scripts.tinyworld.loop import Recipe, train

RECIPE = Recipe(steps=5000, batch=64, lr=2.4e-3, weight_decay=0.01, average=0.9985, seed=21)
FAITHFUL = replace(RECIPE, steps=7000, lr=1.6e-3, seed=22)
LOOKED_AT = 16
"""Images per step whose embeddings are compared."""
TOKENS = 4
"""Tokens that the adapter makes of an embedding."""
TEXT_ONLY_EVERY = 4
DROP_TEXT = {True: 0.12, False: 0.75}
"""By whether the adapter is off."""
DROP_IMAGE = 0.1
DETAIL_WEIGHT = 3.0
"""Weight of a place with the mean detail of all places, over that of a place without any, less 1."""
CHUNK = 250


def build(dim: int) -> Any:
    """The UNet with an adapter for embeddings of ``dim`` numbers, with random weights."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(RECIPE.seed)
    unet = UNet2DConditionModel(**UNET)
    adapter: dict[str, dict[str, Tensor]] = {
        "image_proj": {
            "proj.weight": torch.randn(TOKENS * TEXT_WIDTH, dim) * dim**-0.5,
            "proj.bias": torch.zeros(TOKENS * TEXT_WIDTH),
            "norm.weight": torch.ones(TEXT_WIDTH),
            "norm.bias": torch.zeros(TEXT_WIDTH),
        },
        "ip_adapter": {},
    }
    for index, (name, width) in enumerate(cross_attentions(unet)):
        for matrix in ("to_k_ip", "to_v_ip"):
            adapter["ip_adapter"][f"{2 * index + 1}.{matrix}.weight"] = (
                torch.randn(width, TEXT_WIDTH) * TEXT_WIDTH**-0.5
            )
        assert name.endswith("attn2.processor")
    unet._load_ip_adapter_weights([adapter], low_cpu_mem_usage=False)
    return unet


def cross_attentions(unet: Any) -> list[tuple[str, int]]:
    """Names and widths of the cross-attentions, in the order of the published adapter file."""
    out = []
    for name in unet.attn_processors:
        if name.endswith("attn2.processor"):
            block = unet.get_submodule(name.removesuffix(".processor"))
            out.append((name, int(block.to_q.out_features)))
    return out


def adapter_weights(unet: Any) -> dict[str, Tensor]:
    """The adapter's tensors under the names of the published file."""
    out = {}
    projection = unet.encoder_hid_proj.image_projection_layers[0]
    for name, own_name in (("proj", "image_embeds"), ("norm", "norm")):
        layer = getattr(projection, own_name)
        out[f"image_proj.{name}.weight"], out[f"image_proj.{name}.bias"] = layer.weight, layer.bias
    for index, (name, _) in enumerate(cross_attentions(unet)):
        processor = unet.attn_processors[name]
        out[f"ip_adapter.{2 * index + 1}.to_k_ip.weight"] = processor.to_k_ip[0].weight
        out[f"ip_adapter.{2 * index + 1}.to_v_ip.weight"] = processor.to_v_ip[0].weight
    return {key: value.detach() for key, value in out.items()}


def plain_weights(unet: Any) -> dict[str, Tensor]:
    """The UNet's tensors without the adapter's."""
    return {k: v for k, v in unet.state_dict().items() if "_ip." not in k and not k.startswith("encoder_hid_proj.")}


def set_scale(unet: Any, scale: float) -> None:
    """Sets the weight of the adapter."""
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale]


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What n training postcards become before training.

    Attributes:
        latents: [n, 8, 16, 16]; scaled to a standard deviation of 1.
        text: [n, 32, 64]; states of their captions.
        no_text: [1, 32, 64]; those of the empty prompt.
        embeds: [n, 96]; image embeddings by the prior's CLIP.
        weights: [n, 1, 16, 16]; how much a place counts, 1 on average.
    """

    latents: Tensor
    text: Tensor
    no_text: Tensor
    embeds: Tensor
    weights: Tensor


@torch.inference_mode()
def _inputs(autoencoder: Any, clip: Any, tokenizer: Path, device: str) -> _Inputs:
    data = postcards("train", TRAIN_POSTCARDS)
    autoencoder.to(device)
    clip.to(device)
    pixels, ids = data.pixels.to(device), token_ids(tokenizer, data.captions).to(device)
    starts = range(0, len(data), CHUNK)
    z = torch.cat([latents(autoencoder, pixels[i : i + CHUNK]) for i in starts])
    text = torch.cat([clip.text_model(input_ids=ids[i : i + CHUNK]).last_hidden_state for i in starts])
    embeds = torch.cat([image_embeds(clip, pixels[i : i + CHUNK]) for i in starts])
    no_text = clip.text_model(input_ids=token_ids(tokenizer, ("",)).to(device)).last_hidden_state
    places = [adaptive_avg_pool2d(detail(signed(pixels[i : i + CHUNK])), z.shape[-1]) for i in starts]
    weights = torch.cat(places)
    weights = 1 + DETAIL_WEIGHT * weights / weights.mean()
    return _Inputs(z * autoencoder.config.scaling_factor, text, no_text, embeds, weights / weights.mean())


def run(
    autoencoder: Any, clip: Any, tokenizer: Path, folder: Path, device: str, report: Callable[[str], None]
) -> tuple[Any, list[dict[str, float]]]:
    """Trains both; random numbers are drawn on the CPU, whatever the device."""
    from diffusers import DDPMScheduler

    inputs = _inputs(autoencoder, clip, tokenizer, device)
    for part in (autoencoder, clip):
        part.requires_grad_(False)
    schedule = DDPMScheduler(**SCHEDULE)
    kept = schedule.alphas_cumprod.to(device)
    unet = build(clip.config.projection_dim).to(device, memory_format=torch.channels_last)

    def loss(step: int, random: torch.Generator, faithful: bool) -> dict[str, Tensor]:
        size = RECIPE.batch
        rows = random_rows(len(inputs.latents), size, random).to(device)
        text_only = step % TEXT_ONLY_EVERY == 0
        set_scale(unet, 0.0 if text_only else 1.0)
        noise = torch.randn((size, *inputs.latents.shape[1:]), generator=random).to(device)
        t = torch.randint(0, SCHEDULE["num_train_timesteps"], (size,), generator=random).to(device)
        dropped = torch.rand(2, size, generator=random).to(device)
        no_text = (dropped[0] < DROP_TEXT[text_only]).view(-1, 1, 1)
        no_image = (dropped[1] < DROP_IMAGE).view(-1, 1)
        text = torch.where(no_text, inputs.no_text, inputs.text[rows])
        embeds = torch.where(no_image, 0.0, inputs.embeds[rows])
        z = inputs.latents[rows]
        noisy = schedule.add_noise(z, noise, t)
        predicted = unet(
            noisy, t, encoder_hidden_states=text, added_cond_kwargs={"image_embeds": [embeds[:, None]]}
        ).sample
        error = (inputs.weights[rows] * (predicted - schedule.get_velocity(z, noise, t)).square()).mean()
        if text_only:
            return {"text": error}
        if not faithful:
            return {"image": error}
        some = slice(LOOKED_AT)
        signal = kept[t[some]].sqrt()
        clean = signal.view(-1, 1, 1, 1) * noisy[some] - (1 - kept[t[some]]).sqrt().view(-1, 1, 1, 1) * predicted[some]
        image = autoencoder.decode(clean / autoencoder.config.scaling_factor).sample
        apart = 1 - cosine_similarity(embeds_of(clip, ((image + 1) / 2).clamp(0, 1)), inputs.embeds[rows[some]])
        return {"image": error, "faithful": (~no_image[some, 0] * signal * apart).mean()}

    others = (autoencoder, clip)
    history = train(
        "diffusion", unet, RECIPE, lambda s, r: loss(s, r, False), folder / "diffusion.checkpoint", report, others
    )
    history += train(
        "faithful", unet, FAITHFUL, lambda s, r: loss(s, r, True), folder / "faithful.checkpoint", report, others
    )
    set_scale(unet, 1.0)
    return unet, history
