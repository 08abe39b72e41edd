"""The judge as a Python caller uses it: the same numbers, under the users' own ids."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca import DataError, SpecError, Verifier
from rebeca.data.splits import Part
from rebeca.interfaces import FittedJudge, JudgeContext
from rebeca.ncf.judge import NCFJudge
from rebeca.ncf.options import VerifierParams
from tests.builders import linear_ratings

USERS, ITEMS = 6, 30
RATINGS, EMBEDDINGS = linear_ratings(USERS, ITEMS)
NAMES = np.array(RATINGS.user_ids)[RATINGS.user]
SMALL = {"nets": 2, "dims": 4, "d": 4, "mlp_layers": (8,), "epochs": 3, "batch": 64}


def fit(users=NAMES, items=RATINGS.item, liked=RATINGS.liked, embeddings=EMBEDDINGS, **rest):
    return Verifier.fit(users, items, liked, embeddings, **{**SMALL, **rest})


@pytest.fixture(scope="module")
def verifier():
    return fit()


@pytest.mark.parametrize("changed", [{}, {"hold_back": "rows"}, {"population": False, "dims": 0}])
def test_it_scores_as_the_judge_with_the_same_seed(changed):
    """The judge is given graded ratings, on which the population control rests."""
    judge = NCFJudge(VerifierParams(**SMALL | changed), JudgeContext(RATINGS.user_ids, np.ones(ITEMS, bool), seed=5))
    judge.fit(Part(RATINGS, RATINGS.where(np.zeros(len(RATINGS), bool))), EMBEDDINGS)
    own = fit(ratings=RATINGS.rating, seed=5, **changed)
    np.testing.assert_array_equal(own.score_all(EMBEDDINGS), judge.score_all(EMBEDDINGS))
    some = np.array([4, 0, 4])
    np.testing.assert_array_equal(own.score_all(EMBEDDINGS, ["u4", "u0", "u4"]), judge.score_all(EMBEDDINGS, some))
    pairs = FittedJudge(lambda: judge, lambda: EMBEDDINGS, lambda images: EMBEDDINGS[:3])
    np.testing.assert_array_equal(own.score(["u4", "u0", "u4"], EMBEDDINGS[:3]), pairs.score([None] * 3, some))


def test_graded_ratings_reach_the_population_control(verifier):
    assert (fit(ratings=RATINGS.rating).score_all(EMBEDDINGS) != verifier.score_all(EMBEDDINGS)).any()
    same = fit(ratings=RATINGS.liked).score_all(EMBEDDINGS)
    np.testing.assert_array_equal(same, verifier.score_all(EMBEDDINGS))


@given(st.lists(st.tuples(st.sampled_from(RATINGS.user_ids), st.integers(0, ITEMS - 1)), max_size=12))
def test_a_pair_has_the_score_of_the_table(verifier, pairs):
    table = verifier.score_all(EMBEDDINGS)
    scores = verifier.score([user for user, _ in pairs], EMBEDDINGS[[item for _, item in pairs]].reshape(-1, 6))
    expected = [table[verifier.users.index(user), item] for user, item in pairs]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert scores.shape == (len(pairs),) and scores.dtype == np.float64


def test_items_without_ratings_do_not_decide_the_fit(verifier):
    other = np.concatenate([EMBEDDINGS, 100 * EMBEDDINGS])
    np.testing.assert_array_equal(fit(embeddings=other).score_all(EMBEDDINGS), verifier.score_all(EMBEDDINGS))


@pytest.mark.parametrize("users", [NAMES, 7 * RATINGS.user], ids=["texts", "numbers"])
@pytest.mark.parametrize("changed", [{}, {"population": False, "dims": 0}])
def test_what_was_saved_scores_as_what_was_fitted(users, changed, tmp_path):
    saved = fit(users=users, **changed)
    saved.save(tmp_path / "new" / "folder")
    loaded = Verifier.load(str(tmp_path / "new" / "folder"))
    assert (loaded.users, loaded.params) == (saved.users, saved.params) and loaded.params.d == 4
    asked = users[:3].tolist()
    np.testing.assert_array_equal(loaded.score(asked, EMBEDDINGS[:3]), saved.score(asked, EMBEDDINGS[:3]))
    loaded.save(tmp_path / "again")
    for name in ("verifier.safetensors", "verifier.json", "verifier-params.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "new" / "folder" / name).read_bytes()


@pytest.mark.parametrize("name", ["verifier.json", "verifier-params.json", "verifier.safetensors"])
def test_a_folder_without_a_whole_verifier(verifier, name, tmp_path):
    with pytest.raises(SpecError, match="holds no verifier that can be read"):
        Verifier.load(tmp_path)
    verifier.save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(SpecError, match="holds no verifier that can be read"):
        Verifier.load(tmp_path)


def test_parameters_of_another_version_are_named(verifier, tmp_path):
    verifier.save(tmp_path)
    path = tmp_path / "verifier-params.json"
    described = json.loads(path.read_text())
    described["params"]["netts"] = 3
    path.write_text(json.dumps(described))
    with pytest.raises(SpecError, match=r"params: no parameter 'netts'\n  hint: did you mean 'nets'"):
        Verifier.load(tmp_path)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"netts": 3}, SpecError, "Verifier.fit: no parameter 'netts'\n  hint: did you mean 'nets'?"),
        ({"dropout": 1.5}, SpecError, "Verifier.fit.dropout: input should be less than 1, found 1.5"),
        ({"liked": np.ones(len(RATINGS), bool)}, DataError, "all likes or all dislikes"),
        ({"items": np.zeros(len(RATINGS), int)}, DataError, "all of one item"),
        ({"items": RATINGS.item + 1}, DataError, "items: row 29 holds 30, which is no row of embeddings"),
    ],
)
def test_impossible_fits(given, kind, message):
    with pytest.raises(kind) as caught:
        fit(**given)
    assert message in str(caught.value)


def test_impossible_scores(verifier):
    with pytest.raises(DataError, match="one image per user is needed; found 2 users and 3 images"):
        verifier.score(["u0", "u1"], EMBEDDINGS[:3])
    with pytest.raises(SpecError, match=r"the verifier was not trained on the user 'u33'\n  hint: the nearest id is"):
        verifier.score(["u33"], EMBEDDINGS[:1])
    with pytest.raises(SpecError, match="not trained on the user 3\n  hint: the nearest id is 'u3'"):
        verifier.score_all(EMBEDDINGS, [3])
    for score in (lambda: verifier.score(["u0"], np.ones((1, 5))), lambda: verifier.score_all(np.ones((9, 5)))):
        with pytest.raises(DataError, match="embeddings: 5 numbers per image, the verifier was fitted on 6"):
            score()
    broken = EMBEDDINGS.copy()
    broken[7, 1] = np.nan
    for score in (lambda: verifier.score(["u0"] * ITEMS, broken), lambda: verifier.score_all(broken)):
        with pytest.raises(DataError, match="embeddings: row 7 holds a number that is not finite"):
            score()


def test_a_verifier_shows_its_parameters_and_no_weights(verifier):
    assert repr(verifier) == "Verifier(6 users, batch=64, d=4, dims=4, epochs=3, mlp_layers=[8], nets=2)"


@pytest.mark.parametrize("changed", [{"users": ["u0"]}, {"users": "ab"}, {"dim": 3}, {"dim": -1}])
def test_a_description_of_other_weights_is_refused(verifier, changed, tmp_path):
    verifier.save(tmp_path)
    path = tmp_path / "verifier-params.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises((SpecError, DataError)):
        Verifier.load(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"seed": None}, "seed: expected a whole number"), ({"device": "cuda:99"}, "device: cuda:99 cannot be used")],
)
def test_arguments_that_could_only_fail_later(given, message):
    with pytest.raises(SpecError, match=message):
        fit(**given)


def test_a_single_id_is_no_list_of_letters(verifier):
    with pytest.raises(DataError, match=r"users: expected a list of ids, found a str\n  hint: write \[id\]"):
        verifier.score("u0", EMBEDDINGS[:2])
