"""``python -m scripts.tinyworld.train``: trains the miniature models, all or one part, and writes the weights.

Parts go on from their checkpoints in ``--work``; a finished part is not trained again. The budget is a number of
steps, not of minutes, so the same CPU trains the same weights again.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch

from rebeca.errors import MissingDependency
from rebeca.hashes import cache_folder
from rebeca.tinyworld.models import CARD, WEIGHTS, read_part
from rebeca.tinyworld.words import write_tokenizer
from rebeca.weights import save_weights
from scripts.tinyworld import autoencoder, clip, detector, diffusion, recogniser, stand_ins, support

ORDER = ("autoencoder", "recogniser", "support", *clip.RECIPES, "diffusion", "detector", "hps", "laion")
HISTORY_EVERY = 250
"""Steps between the rows of a training's history that stand in the card."""
Report = Callable[[str], None]


class Trainer:
    """Trains parts, each from the weights in ``out`` of those that it needs."""

    def __init__(self, work: Path, out: Path, device: str, report: Report) -> None:
        self.work, self.out, self.device, self.report = work, out, device, report
        self.tokenizer = work / "tokenizer"
        work.mkdir(parents=True, exist_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        write_tokenizer(self.tokenizer)

    def part(self, name: str) -> None:
        """Trains a part from its checkpoint on; writes its weights and its entry in the card."""
        started = time.perf_counter()
        about: dict[str, Any] = {}
        if name == "autoencoder":
            model, history = autoencoder.run(self.work, self.report)
            self._save(name, model.state_dict())
            about = {"recipe": [autoencoder.RECIPE.to_json(), autoencoder.SHARPEN.to_json()], "history": history}
            self._card(scaling_factor=model.config.scaling_factor)
        elif name == "recogniser":
            model, history = recogniser.run(self.work, self.report)
            self._save(name, model.state_dict())
            about = {"recipe": recogniser.RECIPE.to_json(), "postcards": recogniser.POSTCARDS, "history": history}
        elif name == "detector":
            model, history = detector.run(self.work, self.report)
            self._save(name, model.state_dict())
            about = {"recipe": detector.RECIPE.to_json(), "postcards": detector.POSTCARDS, "history": history}
        elif name == "support":
            tensors, about["support"] = support.run()
            save_weights(self.out / f"{name}.safetensors", tensors)
        elif name == "diffusion":
            unet, history = diffusion.run(
                self._autoencoder(), self._encoder("prior-encoder"), self.tokenizer, self.work, self.device, self.report
            )
            self._save("adapter", diffusion.adapter_weights(unet))
            self._save(name, diffusion.plain_weights(unet))
            about = {"recipe": [diffusion.RECIPE.to_json(), diffusion.FAITHFUL.to_json()], "history": history}
        elif name == "hps":
            model, history = stand_ins.run_hps(self._encoder("prior-encoder"), self.tokenizer, self.work, self.report)
            self._save(name, model.state_dict())
            about = {"recipe": stand_ins.HPS_RECIPE.to_json(), "history": history}
        elif name == "laion":
            weight, bias = stand_ins.run_laion(self._encoder("auditor-encoder"))
            self._save(name, {"layers.0.weight": weight, "layers.0.bias": bias})
            about = {"ridge": stand_ins.RIDGE, "postcards": stand_ins.RATED_POSTCARDS}
        else:
            model, history = clip.run(name, self.tokenizer, self.work, self.report)
            self._save(name, model.state_dict())
            about = {"recipe": clip.RECIPES[name].to_json(), "history": history}
        if rows := about.get("history"):
            about["history"] = [row for row in rows if row["step"] % HISTORY_EVERY == 0 or row is rows[-1]]
        device = self.device if name == "diffusion" else "cpu"
        about |= {
            "command": f"python -m scripts.tinyworld.train --part {name} --device {device}",
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine(),
            "torch": torch.__version__,
        }
        about["wall seconds of the last run"] = round(time.perf_counter() - started, 1)
        self._card(parts={**self._read_card().get("parts", {}), name: about})

    def _autoencoder(self) -> Any:
        model = autoencoder.build()
        model.load_state_dict(self._trained("autoencoder"))
        model.register_to_config(scaling_factor=self._read_card()["scaling_factor"])
        return model.eval()

    def _encoder(self, name: str) -> Any:
        model = clip.build(name)
        model.load_state_dict(self._trained(name))
        return model.eval()

    def _trained(self, part: str) -> dict[str, torch.Tensor]:
        if not (self.out / f"{part}.safetensors").is_file():
            raise MissingDependency(
                f"{self.out}: the part {part} is missing, and another part needs it",
                hint=f"python -m scripts.tinyworld.train --part {part} --out {self.out}",
            )
        return read_part(self.out, part)

    def _save(self, name: str, tensors: dict[str, torch.Tensor]) -> None:
        save_weights(self.out / f"{name}.safetensors", {k: v.half().contiguous() for k, v in tensors.items()})

    def _read_card(self) -> dict[str, Any]:
        path = self.out / CARD.name
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return card

    def _card(self, **entries: Any) -> None:
        card = self._read_card() | entries
        (self.out / CARD.name).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@click.command()
@click.option("--part", "parts", type=click.Choice(ORDER), multiple=True, help="One part; may be given again.")
@click.option("--work", type=click.Path(path_type=Path), default=None, help="Checkpoints; a cache folder unless given.")
@click.option("--out", type=click.Path(path_type=Path), default=WEIGHTS, show_default=False, help="Weights and card.")
@click.option("--device", default="cpu", show_default=True, help="Where the part diffusion, the longest, is trained.")
def main(parts: tuple[str, ...], work: Path | None, out: Path, device: str) -> None:
    """Train the miniature models."""
    trainer = Trainer(
        work or cache_folder() / "tinyworld-training", out, device, lambda text: click.echo(text, file=sys.stderr)
    )
    try:
        for name in parts or ORDER:
            trainer.part(name)
    except MissingDependency as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
