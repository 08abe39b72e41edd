"""``python -m scripts.tinyworld.evaluate``: measures the miniature models on postcards that training never saw.

Writes the figures into the model card and prints them beside their aims.
"""

from __future__ import annotations

import json
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.functional import normalize

from rebeca.arrays import Floats, Pixels
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.interfaces import DecoderContext, Request
from rebeca.seeds import seed_of
from rebeca.space import LinearSpace
from rebeca.tinyworld.models import CARD, WEIGHTS, build_autoencoder, load_clip, read_part, weights_digest
from rebeca.tinyworld.scenes import MODELS_SEED
from rebeca.tinyworld.taste import draw_tastes, features, rate
from rebeca.tinyworld.words import write_tokenizer
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld
from scripts.tinyworld import autoencoder, clip, stand_ins
from scripts.tinyworld.data import Postcards, postcards, token_ids
from scripts.tinyworld.facts import LIKE_AT, TEST_POSTCARDS

ENCODERS = ("prior-encoder", "verifier-encoder", "auditor-encoder")
GROUP = 64
DECODED = 192
STEPS = 12
TEXT_GUIDANCE = 3.0
EMBEDDING_GUIDANCE = 2.0
USERS = 100

AIMS: dict[str, tuple[Callable[[float, float], bool], float]] = {
    "autoencoder, dB": (operator.ge, 30.5),
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


def evaluate(work: Path) -> dict[str, float]:
    """All figures by name."""
    data = postcards("test", TEST_POSTCARDS)
    write_tokenizer(work / "tokenizer")
    models = {name: load_clip(name) for name in ENCODERS}
    figures = {"autoencoder, dB": _autoencoder(data)}
    ids = token_ids(work / "tokenizer", data.captions)
    for name, model in models.items():
        image, text = _images(model, data.pixels), _texts(model, ids)
        figures[f"{name}, image to caption among 64"] = _retrieved(image, text)
        figures[f"{name}, caption to image among 64"] = _retrieved(text, image)
    figures |= _text_to_image(data, models["verifier-encoder"], ids)
    figures |= _embedding_to_image(data, models["prior-encoder"])
    figures |= _stand_ins(data, models["auditor-encoder"], work / "tokenizer")
    figures |= _verifier(models["verifier-encoder"])
    return {name: round(value, 4) for name, value in figures.items()}


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


@torch.inference_mode()
def _autoencoder(data: Postcards) -> float:
    model = build_autoencoder()
    model.load_state_dict(read_part(WEIGHTS, "autoencoder"))
    model.eval()
    decibels = []
    for i in range(0, len(data), 64):
        x = data.pixels[i : i + 64].float()
        decoded = model.decode(autoencoder.latents(model, data.pixels[i : i + 64])).sample
        y = ((decoded + 1) * 127.5).round().clamp(0, 255)
        decibels.append(10 * torch.log10(255**2 / (y - x).square().mean(dim=(1, 2, 3))))
    return float(torch.cat(decibels).mean())


def _requests(count: int) -> list[Request]:
    return [Request("evaluation", i, seed_of("tinyworld", "evaluate", i)) for i in range(count)]


def _decoder(guidance: float) -> StableDiffusion:
    return StableDiffusion(
        StableDiffusionParams(steps=STEPS, image_guidance=guidance), DecoderContext.alone(LinearSpace())
    )


def _stack(images: Iterable[Pixels | None]) -> Tensor:
    valid = [image for image in images if image is not None]
    assert len(valid) == DECODED, "an image holds numbers that are not finite"
    return torch.from_numpy(np.stack(valid)).permute(0, 3, 1, 2)


def _text_to_image(data: Postcards, encoder: Any, ids: Tensor) -> dict[str, float]:
    words = list(data.captions[:DECODED])
    images = _stack(_decoder(TEXT_GUIDANCE).generate_pixels(_requests(DECODED), words, [""] * DECODED, None))
    return {
        "text, caption retrieved by its image": _retrieved(_images(encoder, images), _texts(encoder, ids[:DECODED]))
    }


def _embedding_to_image(data: Postcards, encoder: Any) -> dict[str, float]:
    pixels = data.pixels[:DECODED]
    wanted = _images(encoder, pixels)
    empty = [""] * DECODED
    images = _stack(_decoder(EMBEDDING_GUIDANCE).generate_pixels(_requests(DECODED), empty, empty, wanted.numpy()))
    embeddings = _images(encoder, images)
    near = normalize(wanted, dim=-1) @ normalize(embeddings, dim=-1).T
    others = near[~torch.eye(DECODED, dtype=torch.bool)]
    tastes = draw_tastes(USERS, 1)
    before, after = (tastes.utility(features(p.permute(0, 2, 3, 1).numpy())) for p in (pixels, images))
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
    }


def _stand_ins(data: Postcards, encoder: Any, tokenizer: Path) -> dict[str, float]:
    head = read_part(WEIGHTS, "laion")
    scored = stand_ins.unit_embeds(encoder, data.pixels).numpy() @ head["layers.0.weight"][0].numpy()
    rng = np.random.default_rng(seed_of("tinyworld", "evaluate", "ratings"))
    tastes = draw_tastes(stand_ins.RATERS, MODELS_SEED)
    values = features(data.pixels.permute(0, 2, 3, 1).numpy())
    rated = rate(tastes.utility(values), tastes.habit[:, None], rng).mean(axis=0)
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
    verifier = NCFJudge(VerifierParams(), JudgeContext(world.ratings.user_ids, division.training_items, seed=1))
    verifier.fit(division.verifier, embeddings)
    table = verifier.score_all(embeddings)
    test = division.test
    other = np.random.default_rng(1).permutation(test.num_users)

    def areas(judged_as: Any) -> Iterator[float]:
        for user in range(test.num_users):
            rows = test.user == user
            if 0 < test.liked[rows].sum() < rows.sum():
                yield float(roc_auc_score(test.liked[rows], table[judged_as[user], test.item[rows]]))

    return {
        "verifier, within-user AUC": float(np.mean(list(areas(np.arange(test.num_users))))),
        "verifier, within-user AUC with users permuted": float(np.mean(list(areas(other)))),
    }


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="A folder for temporary files.")
def main(work: Path) -> None:
    """Measure the shipped models; leaves with 1 where a figure misses its aim."""
    figures = evaluate(work)
    card = json.loads(CARD.read_text(encoding="utf-8"))
    missed = [name for name, (holds, aim) in AIMS.items() if not holds(figures[name], aim)]
    card |= {"evaluation": figures, "missed": missed, "sha256": weights_digest()}
    CARD.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for name, value in figures.items():
        note = f"aim {AIMS[name][1]:g}" if name in AIMS else ""
        click.echo(f"{value:8.3f}  {name}  {note}{'  MISSED' if name in missed else ''}".rstrip())
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
