import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rebeca import train_prior
from rebeca.errors import SpecError
from rebeca.generator import Rebeca
from rebeca.prior.options import RebecaParams
from rebeca.seeds import SeedScheme
from rebeca.train_prior import read_config, run
from tests.builders import interactions
from tests.conftest import make_folder

CONFIG = """
data: {path: data, scale: [1, 7], like_at: 4}
embeddings: e.npy
split: {kind: per-user, test: 5, validation: 4}
prior: {network: mlp, hidden: 16, layers: 1, epochs: 2, patience: null, batch: 32}
"""


@pytest.fixture
def config(tmp_path):
    make_folder(tmp_path / "data")
    np.save(tmp_path / "e.npy", np.random.default_rng(0).normal(size=(24, 6)))
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_a_grid_writes_a_results_table_and_the_best(config, tmp_path):
    config.write_text(CONFIG + "grid: {hidden: [8, 16], lr: [0.001, 0.01]}\nselect: validation-loss\n")
    rows = run(config, tmp_path / "out")
    with (tmp_path / "out" / "results.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 4
    losses = [float(row["validation_loss"]) for row in table]
    assert losses == sorted(losses)
    assert (tmp_path / "out" / "best").read_text().strip() == rows[0]["folder"] == table[0]["folder"]
    assert (tmp_path / "out" / rows[0]["folder"] / "prior.safetensors").is_file()
    again = run(config, tmp_path / "out2")
    assert [row["validation_loss"] for row in again] == [row["validation_loss"] for row in rows]


def test_arms_with_fewer_ratings_see_a_part_of_those_with_more(monkeypatch):
    class Stop(Exception):
        pass

    def seen(share):
        kept = []

        def stop(params, train, *_):
            kept.append({*zip(train.user.tolist(), train.item.tolist(), strict=True)})
            raise Stop

        monkeypatch.setattr(train_prior, "train_prior", stop)
        context = SimpleNamespace(
            seeds=SeedScheme("arms", 1, 7), fit_seed=hash(share), validation=None, embeddings=None,
            training_items=None, device="cpu", workdir=Path(), progress=None, decoder=lambda space: None,
        )  # fmt: skip
        train = interactions(np.repeat(np.arange(4), 16), np.tile(np.arange(16), 4), np.ones(64))
        with pytest.raises(Stop):
            Rebeca(RebecaParams(ratings_share=share), context).fit(train)
        return kept[0]

    eighth, quarter, half, whole = (seen(share) for share in (0.125, 0.25, 0.5, 1.0))
    assert eighth < quarter < half < whole and len(eighth) == 8


def test_other_embeddings_are_another_run(config, tmp_path):
    (first,) = run(config, tmp_path / "out")
    np.save(tmp_path / "e.npy", np.random.default_rng(1).normal(size=(24, 6)) * 3)
    (second,) = run(config, tmp_path / "out")
    assert first["folder"] != second["folder"]
    assert first["validation_loss"] != second["validation_loss"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {objective: [sample, epsilon]}\nselect: validation-loss", "different objective cannot be compared"),
        ("pior: {}", "unknown key 'pior'"),
        ("grid: {hiden: [1]}", "unknown key 'grid.hiden'"),
        ("select: best", "unknown rule 'best'"),
    ],
)
def test_mistakes_in_the_config(config, text, message):
    config.write_text(CONFIG + text + "\n")
    with pytest.raises(SpecError, match=message):
        read_config(config)
