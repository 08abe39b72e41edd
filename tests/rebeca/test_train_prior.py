import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from rebeca.generator import Rebeca
from rebeca.options import RebecaParams
from rebeca.prior.prior import Prior
from rebeca.seeds import SeedScheme
from rebeca.train_prior import main, run
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

        monkeypatch.setattr(Prior, "train", stop)
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


def edited(old, new):
    assert old in CONFIG
    return CONFIG.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CONFIG + "grid: {objective: [sample, epsilon]}\nselect: validation-loss",
            "different objective cannot be compared",
        ),
        (CONFIG + "pior: {}", "config: no parameter 'pior'\n  hint: did you mean 'prior'?"),
        (CONFIG + "grid: {hiden: [1]}", "prior: no parameter 'hiden'\n  hint: did you mean 'hidden'?"),
        (CONFIG + "grid: {hidden: []}", "grid: a parameter has no values"),
        (CONFIG + "grid: {hidden: 8}", "config.grid.hidden: input should be"),
        (CONFIG + "grid: {hidden: [8, -8]}", "prior.hidden: input should be greater than or equal to 1, found -8"),
        (CONFIG + "select: best", "config.select: input should be 'validation-loss' or 'none', found 'best'"),
        (CONFIG + "seed: many", "config.seed: input should be a valid integer"),
        (CONFIG + "seed: 1.5", "config.seed: input should be a valid integer"),
        (CONFIG + "device: quantum", "device: quantum cannot be used"),
        (CONFIG + "grid: [1]", "config.grid: input should be a valid"),
        (edited("kind: per-user", "kind: nope"), "split.kind: input should be 'per-user'"),
        (edited("test: 5", "test: -5"), "split.test: input should be greater than 0, found -5"),
        (edited("test: 5", "test: .nan"), "not a finite number"),
        (edited("kind: per-user", "knd: per-user"), "split: no parameter 'knd'"),
        (edited("epochs: 2", "lr: .inf"), "lr: not a finite number, found inf"),
        (edited("epochs: 2", "heads: 3, network: transformer"), "prior: "),
        (edited("epochs: 2", "prior_guidance: validation"), "prior.prior_guidance: only the generator chooses it"),
        (edited("epochs: 2", "sampler: DDPMSchedular"), "sampler: diffusers has no 'DDPMSchedular'"),
        (CONFIG + "grid: {steps: [5, 20000]}", "steps: at most 10,000, found 20,000"),
        (edited("epochs: 2", "best_of: 2"), "prior.best_of: only the generator has this parameter"),
        (edited("scale: [1, 7]", "scale: 7"), "data.scale: input should be a valid tuple"),
        (edited("scale: [1, 7]", "scale: [7, 1]"), "scale: the lowest rating, 7, is not below the highest, 1"),
        (edited("scale: [1, 7]", "scale: [one, seven]"), "data.scale.0: input should be a valid number"),
        (edited(", like_at: 4", ""), "data.like_at: "),
        (edited("like_at: 4", "like_at: 9"), "like_at: 9 lies outside the scale, 1 to 7"),
        (edited("embeddings: e.npy", ""), "config.embeddings: "),
        (edited("data: {path: data, scale: [1, 7], like_at: 4}", "data: here"), "config.data: input should be"),
        ("- 1", "expected a mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_mistakes_in_the_config(text, message, config):
    config.write_text(text + "\n")
    result = CliRunner().invoke(main, ["--config", str(config), "--output", str(config.parent / "out")])
    assert (result.exit_code, result.output.count("error: ")) == (2, 1), result.output + repr(result.exception)
    assert message in result.output and str(config) in result.output
    assert not (config.parent / "out").exists()


def test_what_stands_in_the_way_of_training(config, tmp_path):
    def ended(*arguments):
        result = CliRunner().invoke(main, ["--config", str(config), "--output", *map(str, arguments)])
        assert result.output.startswith("error: "), result.output + repr(result.exception)
        return result.exit_code, result.output

    (tmp_path / "file").touch()
    code, message = ended(tmp_path / "file" / "out")
    assert code == 6 and "Not a directory" in message
    config.write_text(edited("network: mlp", "network: transformer, tokens: 4"))
    code, message = ended(tmp_path / "out")
    assert code == 2 and "tokens (4) must divide dim (6)" in message
    config.write_text(edited("path: data", "path: nowhere"))
    assert ended(tmp_path / "out")[0] == 3
    np.save(tmp_path / "e.npy", np.zeros((3, 6)))
    config.write_text(CONFIG)
    code, message = ended(tmp_path / "out")
    assert code == 3 and "3 rows for 24 items" in message


def test_loaded_weights_sample_as_the_trained_prior(config, tmp_path, monkeypatch):
    config.write_text(edited("epochs: 2", "epochs: 2, steps: 5, normalize: pca, dims: 4"))
    saved = []
    monkeypatch.setattr(Prior, "save", lambda self, folder, save=Prior.save: (saved.append(self), save(self, folder)))
    (row,) = run(config, tmp_path / "out")
    prior = Prior.load(tmp_path / "out" / row["folder"])
    assert (prior.params, prior.users, prior.history) == (saved[0].params, saved[0].users, saved[0].history)
    assert min(prior.history.validation) == row["validation_loss"]
    asked = {"user": ["u3", "u0"], "n": 2}
    np.testing.assert_array_equal(prior.sample(**asked), saved[0].sample(**asked))


def test_the_best_prior_of_a_grid_is_loaded_from_the_output(config, tmp_path):
    config.write_text(edited("epochs: 2", "epochs: 2, steps: 5") + "grid: {hidden: [8, 16, 24]}\n")
    rows = run(config, tmp_path / "out")
    best, chosen = Prior.load(tmp_path / "out"), Prior.load(tmp_path / "out" / rows[0]["folder"])
    assert best.params.hidden == rows[0]["hidden"]
    np.testing.assert_array_equal(best.sample("u1", 3), chosen.sample("u1", 3))
