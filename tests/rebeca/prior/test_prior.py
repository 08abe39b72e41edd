"""The prior as a Python caller uses it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca import DataError, Prior, SpecError, StoreError
from rebeca.generator import Rebeca
from rebeca.options import RebecaParams
from rebeca.seeds import seed_of
from tests.builders import likes
from tests.rebeca.test_generator import context, requests

USERS, ITEMS = 6, 12
EMBEDDINGS = np.random.default_rng(3).normal(size=(ITEMS, 8)).astype(np.float32)
RATINGS = likes(USERS, ITEMS)
NAMES = np.array(RATINGS.user_ids)[RATINGS.user]
SMALL = {
    "network": "mlp", "hidden": 16, "layers": 1, "max_steps": 6, "batch": 16, "lr": 1e-2, "steps": 3,
    "sampler": "DPMSolverMultistepScheduler", "prior_guidance": 3.0,
}  # fmt: skip


def fit(users=NAMES, items=RATINGS.item, liked=RATINGS.liked, embeddings=EMBEDDINGS, **rest):
    return Prior.fit(users, items, liked, embeddings, **{**SMALL, **rest})


@pytest.fixture(scope="module")
def prior():
    return fit()


# ------------------------------------------------------------------------------------------------------------ the fit


@pytest.mark.parametrize("normalize", ["none", "pca"])
@pytest.mark.parametrize("user_rows", ["learned", "taste"])
@pytest.mark.parametrize("train_users", ["own", "nobody"])
def test_it_samples_as_the_generator_with_the_same_seed(normalize, user_rows, train_users, tmp_path):
    chosen = {"normalize": normalize, "dims": 4, "user_rows": user_rows, "train_users": train_users}
    generator = Rebeca(RebecaParams(**SMALL, **chosen), context(tmp_path, EMBEDDINGS))
    generator.fit(RATINGS)
    own = fit(seed=generator.context.fit_seed, **chosen)
    asked = ["u4", "u0", "u4"]
    seeds = [seed_of("prior sample", 9, i) for _ in asked for i in range(5)]
    images = generator.generate(requests(np.repeat(asked, 5).tolist(), seeds))
    expected = np.stack([image.embedding for image in images]).reshape(3, 5, 8)
    np.testing.assert_array_equal(own.sample(user=asked, n=5, seed=9), expected)


def test_graded_ratings_start_the_rows_of_users():
    stars = np.random.default_rng(0).integers(1, 6, len(RATINGS))
    taste = {"user_rows": "taste", "freeze_user_rows": True}
    graded, plain = fit(ratings=stars, **taste), fit(**taste)
    assert (graded.sample("u0", 2) != plain.sample("u0", 2)).any()
    np.testing.assert_array_equal(fit(ratings=RATINGS.liked, **taste).sample("u0", 2), plain.sample("u0", 2))


def test_held_back_rows_stop_the_training_early():
    held = np.arange(len(RATINGS)) % 4 == 0
    early = fit(validation=held, max_steps=None, epochs=400, patience=3, lr=0.05)
    history = early.history
    assert len(history.validation) == len(history.train) == history.best_epoch + 4 < 400
    assert min(history.validation) == history.validation[history.best_epoch]
    assert fit(max_steps=None, epochs=7, patience=3).history.validation == ()


def test_items_without_training_rows_do_not_decide_the_space():
    other = np.concatenate([EMBEDDINGS, 100 * EMBEDDINGS])
    given = {"normalize": "pca", "dims": 3}
    np.testing.assert_array_equal(fit(embeddings=other, **given).sample("u1", 2), fit(**given).sample("u1", 2))
    held = RATINGS.item == 0
    far = EMBEDDINGS.copy()
    far[0] *= 100
    first, second = (fit(embeddings=table, validation=held, patience=None, **given) for table in (EMBEDDINGS, far))
    np.testing.assert_array_equal(first.space.arrays["basis"], second.space.arrays["basis"])


def test_progress_counts_steps():
    seen = []
    fit(progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(step, 6) for step in range(1, 7)]


@given(st.permutations(range(USERS)))
def test_ids_are_of_the_rows_that_they_stand_in(order):
    """Whatever the users are called, rows of the same user belong together."""
    ids = np.array(order)[RATINGS.user]
    assert fit(users=ids, max_steps=1).users == tuple(range(USERS))


def test_one_seed_gives_one_prior(prior):
    np.testing.assert_array_equal(fit().sample("u2", 3), prior.sample("u2", 3))
    assert (fit(seed=1).sample("u2", 3) != prior.sample("u2", 3)).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hiden": 8}, "Prior.fit: no parameter 'hiden'\n  hint: did you mean 'hidden'?"),
        ({"hidden": -8}, "Prior.fit.hidden: input should be greater than or equal to 1, found -8"),
        ({"lr": float("nan")}, "Prior.fit.lr: not a finite number, found nan"),
        ({"best_of": 3}, "Prior.fit.best_of: only the generator has this parameter"),
        ({"prior_guidance": "validation"}, "Prior.fit.prior_guidance: only the generator chooses it"),
        ({"normalize": "pca", "dims": 9}, "dims: 9 directions of a space of 8 dimensions"),
        ({"network": "transformer"}, "tokens (32) must divide dim (8)"),
        ({"sampler": "DPMSolver"}, "sampler: diffusers has no 'DPMSolver'"),
        ({"sampler": "PNDMScheduler", "steps": 5000}, "sampler"),
    ],
)
def test_parameters_that_do_not_fit(given, message):
    with pytest.raises(SpecError) as caught:
        fit(**given)
    assert message in str(caught.value)


@given(st.sets(st.integers(0, USERS - 1), min_size=1, max_size=USERS - 1))
def test_users_without_likes_are_named(without):
    liked = RATINGS.liked & ~np.isin(RATINGS.user, sorted(without))
    count = "1 user" if len(without) == 1 else f"{len(without)} users"
    with pytest.raises(DataError, match=f"{count} without a like to train on, the first is 'u{min(without)}'"):
        fit(liked=liked)


def test_likes_that_are_held_back_are_not_trained_on():
    with pytest.raises(DataError, match="1 user without a like to train on, the first is 'u3'"):
        fit(validation=RATINGS.user == 3)


@pytest.mark.parametrize("held", [np.zeros(3, bool), np.zeros(len(RATINGS)), np.arange(3), [[True]]])
def test_a_mask_of_another_shape_or_kind_is_refused(held):
    with pytest.raises(DataError, match="validation: expected 72 times true or false"):
        fit(validation=held)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": 1.5}, "seed: expected a whole number, found 1.5"),
        ({"device": "cuda:99"}, "device: cuda:99 cannot be used"),
        ({"device": "meta"}, "device: meta cannot be used"),
        ({"device": None}, "device: expected a text, found None"),
        ({"lr": 1e30, "max_steps": 60}, "the prior's training diverged at lr 1e+30"),
    ],
)
def test_arguments_that_could_only_fail_later(given, message):
    with pytest.raises(SpecError) as caught:
        fit(**given)
    assert message in str(caught.value)


def test_a_fit_that_cannot_learn_is_refused():
    with pytest.raises(DataError, match="no step of the prior has two ratings"):
        fit(["ann"], [0], [True])
    for table, normalize in ((np.ones((ITEMS, 8)), "pca"), (np.zeros((ITEMS, 8)), "l2")):
        with pytest.raises(DataError, match=f"leave no directions for {normalize}"):
            fit(embeddings=table, normalize=normalize, dims=2)


# -------------------------------------------------------------------------------------------------------- the samples


@given(few=st.integers(1, 70), more=st.integers(1, 70), seed=st.integers(-(2**70), 2**70))
def test_the_first_embeddings_stay_when_more_are_asked_for(prior, few, more, seed):
    first, all_of_them = (prior.sample(user="u5", n=n, seed=seed) for n in (few, few + more))
    assert first.shape == (few, 8) and first.dtype == np.float32 and np.isfinite(first).all()
    np.testing.assert_array_equal(first, all_of_them[:few])


@given(st.lists(st.sampled_from([*RATINGS.user_ids, None]), min_size=1, max_size=8))
def test_several_users_are_sampled_as_each_of_them(prior, users):
    together = prior.sample(user=users, n=3)
    np.testing.assert_array_equal(together, np.stack([prior.sample(user=user, n=3) for user in users]))


def test_no_user_is_no_embedding(prior):
    assert prior.sample(user=[], n=3).shape == (0, 3, 8)


def test_guidance_rating_and_seed_decide(prior):
    base = prior.sample("u0", 4)
    np.testing.assert_array_equal(prior.sample("u0", 4, guidance=3.0, seed=0, liked=True), base)
    for other in ({"guidance": 2.0}, {"seed": 1}, {"liked": False}, {"liked": None}, {"steps": 5}, {"user": "u1"},
                  {"user": None}, {"sampler": "DDIMScheduler"}):  # fmt: skip
        assert (prior.sample(**{"user": "u0", "n": 4, **other}) != base).any(), other
    np.testing.assert_array_equal(prior.sample("u0", 4, guidance=0), prior.sample("u1", 4, guidance=0, liked=False))
    assert len({row.tobytes() for row in base}) == 4


def test_a_prior_without_users_samples_alike_for_all():
    nobody = fit(train_users="nobody")
    np.testing.assert_array_equal(nobody.sample("u0", 2), nobody.sample("u5", 2))
    with pytest.raises(SpecError, match="not trained on the user 'u9'"):
        nobody.sample("u9", 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "u7"}, "the prior was not trained on the user 'u7'\n  hint: the nearest id is 'u"),
        ({"user": ["u0", 3]}, "not trained on the user 3\n  hint: the nearest id is 'u3'"),
        ({"n": 0}, "n: expected at least 1, found 0"),
        ({"guidance": float("nan")}, "guidance: expected a finite number, found nan"),
        ({"guidance": float("inf")}, "guidance: expected a finite number, found inf"),
        ({"steps": 0}, "steps"),
        ({"sampler": "nope"}, "sampler: diffusers has no 'nope'"),
        ({"sampler": ["DDIMScheduler"]}, "sampler: diffusers has no"),
        ({"steps": 2.5}, "steps: expected a whole number, found 2.5"),
        ({"steps": 10**7}, "steps: at most 10,000, found 10,000,000"),
        ({"n": 2.0}, "n: expected a whole number, found 2.0"),
        ({"n": True}, "n: expected a whole number, found True"),
        ({"seed": "1"}, "seed: expected a whole number, found '1'"),
        ({"guidance": [1, 2]}, "guidance: expected a finite number, found [1, 2]"),
        ({"guidance": 1j}, "guidance: expected a finite number, found 1j"),
        ({"liked": "no"}, "liked: expected True, False or None, found 'no'"),
        ({"user": 1.0}, "not trained on the user 1.0"),
        ({"user": [["u0"]]}, "not trained on the user ['u0']"),
    ],
)
def test_impossible_samples(prior, given, message):
    with pytest.raises(SpecError) as caught:
        prior.sample(**{"user": "u0", "n": 1, **given})
    assert message in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize(
    "changed", [{}, {"normalize": "pca", "dims": 3}, {"network": "transformer", "tokens": 4}, {"normalize": "l2"}]
)
@pytest.mark.parametrize("users", [NAMES, RATINGS.user * 10], ids=["texts", "numbers"])
def test_what_was_saved_samples_as_what_was_fitted(changed, users, tmp_path):
    saved = fit(users=users, validation=np.arange(len(RATINGS)) % 5 == 0, **changed)
    saved.save(tmp_path / "new" / "folder")
    loaded = Prior.load(str(tmp_path / "new" / "folder"))
    assert (loaded.users, loaded.params, loaded.history) == (saved.users, saved.params, saved.history)
    asked = saved.users[:2]
    np.testing.assert_array_equal(loaded.sample(asked, 3), saved.sample(asked, 3))


def test_the_best_of_several_is_found(prior, tmp_path):
    prior.save(tmp_path / "a")
    other = fit(seed=1)
    other.save(tmp_path / "b")
    (tmp_path / "best").write_text("b\n")
    np.testing.assert_array_equal(Prior.load(tmp_path).sample("u0", 2), other.sample("u0", 2))


@pytest.mark.parametrize("name", ["../a", "{}/a", "b/../a", "..", "", "a\0"])
def test_the_best_lies_beside_the_file_that_names_it(prior, name, tmp_path):
    prior.save(tmp_path / "a")
    prior.save(tmp_path / "out" / "b")
    (tmp_path / "out" / "best").write_text(name.format(tmp_path))
    with pytest.raises(SpecError, match="holds no prior that can be read"):
        Prior.load(tmp_path / "out")


@pytest.mark.parametrize(
    "users", [["u0"], ["u0"] * USERS, list("bacdef"), "abcdef", [{}] * USERS, [True] * USERS, ["u0", 1, 2, 3, 4, 5]]
)
def test_users_that_are_not_those_of_the_weights(prior, users, tmp_path):
    prior.save(tmp_path)
    path = tmp_path / "prior-params.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"users": users}))
    with pytest.raises((SpecError, DataError)):
        Prior.load(tmp_path)


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    broken = fit()
    next(broken.model.parameters()).data[0] = float("nan")
    broken.save(tmp_path)
    with pytest.raises(SpecError, match="not finite"):
        Prior.load(tmp_path)


def test_a_file_in_the_place_of_the_folder(prior, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="no folder can be created there"):
            prior.save(folder)


def damaged(folder, name):
    path = folder / name
    if path.suffix == ".json":
        described = json.loads(path.read_text())
        described.pop(sorted(described)[0])
        path.write_text(json.dumps(described))
    else:
        path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("name", ["prior.json", "prior-params.json", "prior.safetensors", "space.safetensors"])
@pytest.mark.parametrize("harm", [damaged, lambda folder, name: (folder / name).unlink()], ids=["damaged", "missing"])
def test_a_folder_without_a_whole_prior(prior, name, harm, tmp_path):
    replace(prior, space=fit(normalize="pca", dims=2).space).save(tmp_path)
    harm(tmp_path, name)
    with pytest.raises(SpecError, match="holds no prior that can be read"):
        Prior.load(tmp_path)


def test_a_prior_shows_its_parameters_and_no_weights():
    assert repr(fit(users=np.full(72, "ann"), max_steps=1, layers=6)) == (
        "Prior(1 user, batch=16, hidden=16, lr=0.01, max_steps=1, network='mlp', prior_guidance=3.0,"
        " sampler='DPMSolverMultistepScheduler', steps=3)"
    )
