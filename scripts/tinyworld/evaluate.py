"""``python -m scripts.tinyworld.evaluate``: measures the miniature models on postcards that training never saw.

Prints the figures beside their aims. With ``--write`` they are also written into the model card that is shipped.
"""

from __future__ import annotations

import json
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.functional import normalize

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.interfaces import DecoderContext, Request
from rebeca.seeds import seed_of
from rebeca.space import LinearSpace
from rebeca.tinyworld.contents import NUMBERS, contents_of
from rebeca.tinyworld.models import (
    CARD,
    PARTS,
    USERS_PARTS,
    WEIGHTS,
    build_autoencoder,
    load_clip,
    read_part,
    weights_digest,
)
from rebeca.tinyworld.scenes import FULL, SUN, Scenes
from rebeca.tinyworld.support import has_statistics, inside
from rebeca.tinyworld.taste import CONTENT, Seen, draw_tastes, see
from rebeca.tinyworld.words import write_tokenizer
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld
from scripts.tinyworld import autoencoder, clip, stand_ins
from scripts.tinyworld.data import Postcards, as_images, postcards, token_ids
from scripts.tinyworld.detector import THINGS, kinds_of_things
from scripts.tinyworld.facts import LIKE_AT, TEST_POSTCARDS
from scripts.tinyworld.treated import HONEST, OUTLIERS, UNSEEN, jpeg

ENCODERS = ("prior-encoder", "verifier-encoder", "auditor-encoder")
GROUP = 64
DECODED = 192
STEPS = 12
TEXT_GUIDANCE = 3.0
EMBEDDING_GUIDANCE = 2.0
USERS = 100
BATCH = 64
"""Ratings per step of the verifier, as in the task tinyworld."""
READ = 4000
"""Postcards that the recogniser is tested on."""

AIMS: dict[str, tuple[Callable[[float, float], bool], float]] = {
    "autoencoder, dB": (operator.ge, 30.5),
    "recogniser, worst content, renders": (operator.ge, 0.95),
    "recogniser, worst content, encoded and decoded": (operator.ge, 0.90),
    "named things recognised, from captions": (operator.ge, 0.80),
    "named things recognised, from embeddings": (operator.ge, 0.80),
    **{f"{name}, image to caption among 64": (operator.ge, 0.83) for name in ENCODERS},
    **{f"{name}, caption to image among 64": (operator.ge, 0.83) for name in ENCODERS},
    "text, caption retrieved by its image": (operator.ge, 0.85),
    "adapter, embedding retrieved by its image": (operator.ge, 0.97),
    "adapter, cosine": (operator.ge, 0.97),
    "adapter, cosine with another image's": (operator.lt, 0.1),
    "adapter, correlation of utility, mean over users": (operator.ge, 0.92),
    "adapter, correlation of utility, worst user": (operator.ge, 0.80),
    "adapter, largest bias of a user's utility": (operator.lt, 0.1),
    "laion stand-in, Spearman with mean ratings": (operator.ge, 0.62),
    "hps stand-in, pair accuracy": (operator.ge, 0.68),
    "verifier, within-user AUC": (operator.ge, 0.82),
    "verifier, within-user AUC with users permuted": (operator.le, 0.62),
}
"""Aims of figures; those without one are for comparison."""


Shares = dict[str, dict[str, float]]
"""By where images come from: the share in which each content is read rightly, and the share inside the world."""


def evaluate(work: Path) -> tuple[dict[str, float], Shares]:
    """All figures by name; what is recognised, and where."""
    data = postcards("test", TEST_POSTCARDS)
    write_tokenizer(work / "tokenizer")
    models = {name: load_clip(name) for name in ENCODERS}
    figures = {"autoencoder, dB": _autoencoder(data)}
    recognised = _recogniser()
    figures |= {
        f"recogniser, worst content, {where}": min(recognised[where][content] for content in CONTENT)
        for where in ("renders", "encoded and decoded")
    }
    ids = token_ids(work / "tokenizer", data.captions)
    for name, model in models.items():
        image, text = _images(model, data.pixels), _texts(model, ids)
        figures[f"{name}, image to caption among 64"] = _retrieved(image, text)
        figures[f"{name}, caption to image among 64"] = _retrieved(text, image)
    figures |= _text_to_image(data, models["verifier-encoder"], ids, recognised)
    figures |= _embedding_to_image(data, models["prior-encoder"], recognised)
    figures |= _stand_ins(data, models["auditor-encoder"], work / "tokenizer")
    figures |= _verifier(models["verifier-encoder"])
    rounded = {where: {name: round(value, 3) for name, value in shares.items()} for where, shares in recognised.items()}
    return {name: round(value, 4) for name, value in figures.items()}, rounded


@torch.inference_mode()
def _images(model: Any, pixels: Tensor) -> Tensor:
    return torch.cat([clip.image_embeds(model, pixels[i : i + 128]) for i in range(0, len(pixels), 128)])


@torch.inference_mode()
def _texts(model: Any, ids: Tensor) -> Tensor:
    return torch.cat([clip.text_embeds(model, ids[i : i + 128]) for i in range(0, len(ids), 128)])


def _retrieved(queries: Tensor, answers: Tensor) -> float:
    """Share of rows whose own answer is the nearest by cosine among the 64 of their group."""
    q, a = normalize(queries, dim=-1), normalize(answers, dim=-1)
    hits = [
        (q[i : i + GROUP] @ a[i : i + GROUP].T).argmax(dim=1) == torch.arange(len(q[i : i + GROUP]))
        for i in range(0, len(q), GROUP)
    ]
    return float(torch.cat(hits).float().mean())


def _autoencoder(data: Postcards) -> float:
    error = (_encoded_and_decoded(data.pixels).float() - data.pixels.float()).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(255**2 / error)).mean())


@torch.inference_mode()
def _encoded_and_decoded(pixels: Tensor) -> Tensor:
    """uint8 [n, 3, h, w]; the same images through the autoencoder."""
    model = build_autoencoder()
    model.load_state_dict(read_part(WEIGHTS, "autoencoder"))
    model.eval()
    decoded = [model.decode(autoencoder.latents(model, pixels[i : i + 64])).sample for i in range(0, len(pixels), 64)]
    return ((torch.cat(decoded) + 1) * 127.5).round().clamp(0, 255).byte()


def _recogniser() -> Shares:
    data = postcards("recogniser test", READ)
    treated = {
        "renders": as_images(data.pixels),
        "encoded and decoded": as_images(_encoded_and_decoded(data.pixels)),
        "noise of 8 of 255": _noisy(as_images(data.pixels)),
        "JPEG of quality 50": _jpeg_50(as_images(data.pixels), np.random.default_rng(0)),
        "half the size": [_halved(image) for image in as_images(data.pixels)],
    }
    return {where: _shares(data.scenes, images) for where, images in treated.items()}


def _shares(scenes: Scenes, images: Sequence[Pixels] | Pixels) -> dict[str, float]:
    """Share of right contents; correlation of numbers where there is something to measure; share inside the world."""
    seen, contents = see(images), contents_of(scenes)
    right = dict(zip(CONTENT, (_read(seen) == _drawn(scenes)).mean(axis=0).tolist(), strict=True))
    numbers = {"horizon": seen.horizon[:, 0], "disc x": seen.disc[:, 0], "disc y": seen.disc[:, 1]}
    numbers |= {"tree height": seen.tree_height[:, 0]}
    for name, values in numbers.items():
        column = list(NUMBERS).index(name)
        rows = contents.measured[:, column]
        right[f"{name}, correlation"] = float(np.corrcoef(values[rows], contents.numbers[rows, column])[0, 1])
    right["number of trees, correlation"] = float(np.corrcoef(seen.trees[:, 0], scenes.trees)[0, 1])
    return right | {"inside the world": float(inside(images).mean())}


def _inside() -> dict[str, dict[str, list[float]]]:
    """By group and kind of images: the share inside the world, and the share by statistics alone."""
    data = postcards("inside test", READ)
    renders, rng = as_images(data.pixels), np.random.default_rng(seed_of("tinyworld", "evaluate", "inside"))
    full = renders[kinds_of_things(data.scenes) >= THINGS]
    groups = {
        "postcards": (renders, {"as drawn": lambda images, _: images, **HONEST, "JPEG of quality 50": _jpeg_50}),
        "no postcards": (full, OUTLIERS),
        "no postcards, not trained on": (full, UNSEEN),
    }
    return {
        group: {name: _shares_inside(make(images, rng)) for name, make in kinds.items()}
        for group, (images, kinds) in groups.items()
    }


def _jpeg_50(images: Pixels, rng: np.random.Generator) -> Pixels:
    return jpeg(images, rng, 50, 50)


def _shares_inside(images: Pixels) -> list[float]:
    return [round(float(inside(images).mean()), 4), round(float(has_statistics(images).mean()), 4)]


def _noisy(images: Any) -> Any:
    rng = np.random.default_rng(seed_of("tinyworld", "evaluate", "noise"))
    return np.clip(images.astype(np.int64) + rng.integers(-8, 9, images.shape), 0, 255).astype(np.uint8)


def _halved(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    return np.asarray(Image.fromarray(image).resize((width // 2, height // 2), Image.Resampling.BILINEAR))


def _drawn(scenes: Scenes) -> Ints:
    """Int [n, 8]; the ground, and whether each thing is there, in the order of ``CONTENT``."""
    counts = (scenes.clouds, scenes.ridges, scenes.trees, scenes.houses, scenes.boats)
    things = [scenes.disc == SUN, scenes.disc >= FULL, *(count > 0 for count in counts)]
    return np.stack([scenes.ground, *things], axis=1)


def _read(seen: Seen) -> Ints:
    """As :func:`_drawn`, of what users see."""
    return np.concatenate([seen.ground.argmax(axis=1)[:, None], seen.things > 0.5], axis=1)


def _named(data: Postcards, images: Tensor, how: str, recognised: Shares) -> dict[str, float]:
    """What of the postcards is recognised in images that were generated from their captions or embeddings."""
    scenes = data.scenes.take(slice(DECODED))
    recognised[f"from {how}"] = _shares(scenes, as_images(images))
    named, shown = _drawn(scenes)[:, 1:] == 1, _read(see(as_images(images)))[:, 1:] == 1
    return {
        f"named things recognised, from {how}": float(shown[named].mean()),
        f"things recognised that are not named, from {how}": float(shown[~named].mean()),
    }


def _requests(count: int) -> list[Request]:
    return [Request("evaluation", i, seed_of("tinyworld", "evaluate", i)) for i in range(count)]


def _decoder(guidance: float) -> StableDiffusion:
    return StableDiffusion(
        StableDiffusionParams(steps=STEPS, image_guidance=guidance), DecoderContext.alone(LinearSpace())
    )


def _stack(images: Iterable[Pixels | None]) -> Tensor:
    given = list(images)
    valid = [image for image in given if image is not None]
    assert len(valid) == len(given), "an image holds numbers that are not finite"
    return torch.from_numpy(np.stack(valid)).permute(0, 3, 1, 2)


def _text_to_image(data: Postcards, encoder: Any, ids: Tensor, recognised: Shares) -> dict[str, float]:
    words = list(data.captions[:DECODED])
    images = _stack(_decoder(TEXT_GUIDANCE).generate_pixels(_requests(DECODED), words, [""] * DECODED, None))
    return {
        "text, caption retrieved by its image": _retrieved(_images(encoder, images), _texts(encoder, ids[:DECODED])),
        **_named(data, images, "captions", recognised),
    }


def _embedding_to_image(data: Postcards, encoder: Any, recognised: Shares) -> dict[str, float]:
    pixels = data.pixels[:DECODED]
    wanted = _images(encoder, pixels)
    empty = [""] * DECODED
    images = _stack(_decoder(EMBEDDING_GUIDANCE).generate_pixels(_requests(DECODED), empty, empty, wanted.numpy()))
    embeddings = _images(encoder, images)
    near = normalize(wanted, dim=-1) @ normalize(embeddings, dim=-1).T
    others = near[~torch.eye(DECODED, dtype=torch.bool)]
    world = see(as_images(data.pixels))
    tastes = draw_tastes(USERS, 1, world)
    before, after = tastes.utility(world.take(slice(DECODED))), tastes.utility(see(as_images(images)))
    correlation = np.array([np.corrcoef(b, a)[0, 1] for b, a in zip(before, after, strict=True)])
    bias = (after - before).mean(axis=1)
    return {
        "adapter, embedding retrieved by its image": _retrieved(embeddings, wanted),
        "adapter, cosine": float(near.diagonal().mean()),
        "adapter, cosine with another image's": float(others.mean()),
        "adapter, correlation of utility, mean over users": float(correlation.mean()),
        "adapter, correlation of utility, worst user": float(correlation.min()),
        "adapter, largest bias of a user's utility": float(np.abs(bias).max()),
        "adapter, mean absolute bias of a user's utility": float(np.abs(bias).mean()),
        **_named(data, images, "embeddings", recognised),
    }


def _stand_ins(data: Postcards, encoder: Any, tokenizer: Path) -> dict[str, float]:
    head = read_part(WEIGHTS, "laion")
    scored = stand_ins.unit_embeds(encoder, data.pixels).numpy() @ head["layers.0.weight"][0].numpy()
    rng = np.random.default_rng(seed_of("tinyworld", "evaluate", "ratings"))
    rated = stand_ins.mean_ratings(data.pixels, rng)
    utility = stand_ins.common(data.pixels)
    model = load_clip("hps")
    words = _texts(model, token_ids(tokenizer, (stand_ins.NEUTRAL_PROMPT,)))
    likes = (normalize(_images(model, data.pixels), dim=-1) @ normalize(words, dim=-1).T)[:, 0].numpy()
    chosen = stand_ins.pairs(data.scenes, 4000, rng)
    taken = stand_ins.choices(utility, chosen, rng)
    apart = chosen[:, 0] != chosen[:, 1]
    return {
        "laion stand-in, Spearman with mean ratings": float(spearmanr(scored, rated).statistic),
        "laion stand-in, Spearman with the common utility": float(spearmanr(scored, utility).statistic),
        "hps stand-in, pair accuracy": _accuracy(likes, chosen[apart], taken[apart]),
        "hps stand-in, pair accuracy of the ground truth": _accuracy(utility, chosen[apart], taken[apart]),
    }


def _accuracy(score: Floats, chosen: Any, taken: Any) -> float:
    return float(((score[chosen[:, 1]] > score[chosen[:, 0]]) == (taken == 1)).mean())


def _verifier(encoder: Any) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    from rebeca.data.splits import SplitRule, divide
    from rebeca.interfaces import JudgeContext
    from rebeca.ncf.judge import NCFJudge
    from rebeca.ncf.options import VerifierParams

    world = make_tinyworld(TinyworldParams())
    division = divide(world.ratings, SplitRule("per-user", 10, 10), LIKE_AT, world.catalogue.block, 42)
    images = _stack([world.catalogue.pixels(i) for i in range(len(world.catalogue))])
    embeddings = _images(encoder, images).numpy()
    verifier = NCFJudge(
        VerifierParams(batch=BATCH), JudgeContext(world.ratings.user_ids, division.training_items, seed=1)
    )
    verifier.fit(division.verifier, embeddings)
    table = verifier.score_all(embeddings)
    test = division.test
    permuted = table[np.random.default_rng(1).permutation(test.num_users)]
    everybody = np.broadcast_to(table.mean(axis=0), table.shape)

    def areas(scores: Floats) -> Iterator[float]:
        for user in range(test.num_users):
            rows = test.user == user
            if 0 < test.liked[rows].sum() < rows.sum():
                yield float(roc_auc_score(test.liked[rows], scores[user, test.item[rows]]))

    return {
        "verifier, within-user AUC": float(np.mean(list(areas(table)))),
        "verifier, within-user AUC of all users' mean": float(np.mean(list(areas(everybody)))),
        "verifier, within-user AUC with users permuted": float(np.mean(list(areas(permuted)))),
    }


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="A folder for temporary files.")
@click.option("--write", is_flag=True, help="Write the figures into the model card of this checkout.")
def main(work: Path, write: bool) -> None:
    """Measure the shipped models; leaves with 1 where a figure misses its aim."""
    figures, recognised = evaluate(work)
    shares = _inside()
    missed = [name for name, (holds, aim) in AIMS.items() if not holds(figures[name], aim)]
    if write:
        measured = {"evaluation": figures, "recognised": recognised, "inside": shares, "missed": missed}
        card = json.loads(CARD.read_text(encoding="utf-8")) | measured
        card["sha256"] = weights_digest(parts=PARTS + USERS_PARTS)
        CARD.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for name, value in figures.items():
        note = f"aim {AIMS[name][1]:g}" if name in AIMS else ""
        click.echo(f"{value:8.3f}  {name}  {note}{'  MISSED' if name in missed else ''}".rstrip())
    for group, kinds in shares.items():
        click.echo(f"\n{group}: share inside the world, and by statistics alone")
        for name, (both, statistics) in kinds.items():
            click.echo(f"{both:8.3f}{statistics:8.3f}  {name}")
    for where, contents in recognised.items():
        click.echo(f"\n{where}: share that is read rightly")
        for name, value in contents.items():
            click.echo(f"{value:8.3f}  {name}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
