"""Broken judges."""

from pathlib import Path

import numpy as np

from rebeca import Judge, NoParams
from rebeca.testing import JudgeContract
from tests.plugins.breaches import breach, raises


class Right(Judge[NoParams]):
    def fit(self, part, embeddings):
        self.context.progress(0, 1, "means")
        likes = part.train.where(part.train.liked)
        self.means = np.zeros((len(self.context.users), embeddings.shape[1]))
        np.add.at(self.means, likes.user, embeddings[likes.item] / 10)
        self.context.progress(1, 1, "means")

    def save(self, folder):
        np.save(folder / "means.npy", self.means)

    def load(self, folder):
        self.means = np.load(folder / "means.npy")

    def score_all(self, embeddings, users=None):
        means = self.means if users is None else self.means[users]
        return np.exp(-np.square(means[:, None] - embeddings[None].astype(float)).mean(axis=2))


def scored(change):
    return lambda self, embeddings, users=None: change(Right.score_all(self, embeddings, users))


def learned(change):
    def fit(self, part, embeddings):
        Right.fit(self, part, embeddings)
        self.means = change(self.means, part, embeddings)

    return fit


def counted(self, embeddings, users=None):
    self.calls = getattr(self, "calls", 0) + 1
    return Right.score_all(self, embeddings, users) / self.calls


def standardised(self, embeddings, users=None):
    if not len(embeddings):
        return Right.score_all(self, embeddings, users)
    return Right.score_all(self, embeddings - embeddings.mean(axis=0), users)


def scaled(self, embeddings, users=None):
    return Right.score_all(self, embeddings / np.abs(embeddings).max(), users)


def backwards(self, part, embeddings):
    Right.fit(self, part, embeddings)
    self.context.progress(0, 1, "means")


def beyond(self, part, embeddings):
    Right.fit(self, part, embeddings)
    self.context.progress(3, 1, "means")


def known_users_only(self, part, embeddings):
    Right.fit(self, part, embeddings)
    self.means = self.means[: part.train.user.max() + 1]


def no_strangers(self, embeddings, users=None):
    if users is not None and not self.means[users].any(axis=1).all():
        raise ValueError("a user without likes")
    return Right.score_all(self, embeddings, users)


def seeded(self, part, embeddings):
    np.random.seed(1)
    Right.fit(self, part, embeddings)


def littering(self, folder):
    Path("log.txt").write_text("saved")
    Right.save(self, folder)


def normalising(self, part, embeddings):
    embeddings /= 2
    Right.fit(self, part, embeddings)


CONTRACT = JudgeContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", fit=raises),
    breach("class_is_complete", "does not define fit", fit=Judge.fit),
    breach("there_is_one_score_per_pair", "returned a list", score_all=scored(lambda scores: scores.tolist())),
    breach("there_is_one_score_per_pair", "expected .8, 5.", score_all=scored(lambda scores: scores.T)),
    breach("there_is_one_score_per_pair", r"outside \[0, 1\]", score_all=scored(lambda scores: 1 - 3 * scores)),
    breach(
        "scores_are_probabilities",
        r"outside \[0, 1\]",
        score_all=lambda self, embeddings, users=None: (
            0.5 + Right.score_all(self, 0 * embeddings, users) * 0 + np.tanh(embeddings[:, 0] / 9)
        ),
    ),
    breach(
        "some_users_are_rows_of_all",
        "for users",
        score_all=lambda self, embeddings, users=None: Right.score_all(
            self, embeddings, None if users is None else np.sort(users)
        ),
    ),
    breach("embeddings_do_not_depend_on_each_other", "with other embeddings", score_all=standardised),
    breach("no_embeddings_no_scores", "ValueError", score_all=scaled),
    breach("users_without_likes_are_judged", "a user without likes", score_all=no_strangers),
    breach(
        "loaded_judges_answer_alike",
        "after save and load",
        load=lambda self, folder: setattr(self, "means", np.ones((8, 8))),
    ),
    breach(
        "fit_sees_no_held_out_item",
        "held-out items have other embeddings",
        fit=learned(lambda means, part, embeddings: means + embeddings.mean(axis=0)),
    ),
    breach("progress_counts_up", "counted from 1 back to 0", fit=backwards),
    breach("progress_counts_up", "is no step of a total", fit=beyond),
    breach("asking_twice_changes_nothing", "asked a second time", score_all=counted),
    breach("users_are_those_of_the_context", "numbers, expected", fit=known_users_only),
    breach(
        "answers_are_repeatable",
        "asked again, a score differs",
        fit=learned(lambda means, part, embeddings: means + np.random.default_rng().random(means.shape)),
    ),
    breach(
        "global_random_state_plays_no_part",
        "another global random state",
        fit=learned(lambda means, part, embeddings: means + np.random.random(means.shape)),
    ),
    breach("global_random_state_is_not_seeded", "seeded the global random state", fit=seeded),
    breach("inputs_are_not_modified", "changed its input embeddings", fit=normalising),
    breach("writes_nowhere_else", "wrote log.txt", save=littering),
]
