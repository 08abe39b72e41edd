"""Broken scorers."""

from dataclasses import replace

import numpy as np

from rebeca import NoParams, Scorer, ScorerCard
from rebeca.testing import ScorerContract
from tests.plugins.breaches import answers, breach, raises

CARD = ScorerCard("Shade", "share", True, "How bright an image is, against the user's own index.")


class Right(Scorer[NoParams]):
    judges_everyone = True

    @classmethod
    def card(cls, params):
        return CARD

    def score(self, images, users):
        return self.score_all(images, np.unique(users))[np.searchsorted(np.unique(users), users), np.arange(len(users))]

    def score_all(self, images, users):
        bright = np.array([images.pixels_of(i).mean() / 255 for i in range(len(images))])
        return bright[None, :] / (1 + users[:, None])

    def worst(self, users):
        return np.zeros(len(users))


def table(change):
    return lambda self, images, users: change(Right.score_all(self, images, users))


def own(change):
    return lambda self, images, users: change(Right.score(self, images, users))


def ranked(self, images, users):
    scores = Right.score_all(self, images, users)
    return scores / max(1e-9, scores.max(initial=0))


def by_place(self, images, users):
    return Right.score_all(self, images, users) * np.linspace(0.5, 1, len(images))


def drawn(self, images, users):
    return np.random.random((len(users), len(images)))


def counted(self, images, users):
    self.calls = getattr(self, "calls", 0) + 1
    return Right.score_all(self, images, users) / self.calls


def owner_only(self, images, users):
    return Right.score_all(self, images, images.user)[np.arange(len(users)), np.arange(len(users))]


def written(self, images, users):
    images.pixels_of(0)[:] = 0
    return Right.score_all(self, images, users)


CONTRACT = ScorerContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", score_all=raises),
    breach("it_answers", "read-only", score_all=written),
    breach("class_is_complete", "does not define score", score=Scorer.score),
    breach("needs_are_known", "needs names 'gold'", needs=answers({"gold"})),
    breach("it_answers", "prior.*which its needs", score_all=lambda self, images, users: self.context.prior)
    if False
    else breach(
        "there_is_one_number_per_image",
        "'verifier', which its needs",
        score_all=lambda self, images, users: self.context.verifier,
    ),
    breach("encoders_are_names", "encoders is 'fourier:8', expected tuple", encoders=answers("fourier:8")),
    breach("environment_is_texts", "environment is '3.9', expected Mapping", environment=answers("3.9")),
    breach("environment_is_texts", "environment 'python' is 3.9, expected str", environment=answers({"python": 3.9})),
    breach("cards_are_complete", "a card's unit is ''", card=answers(replace(CARD, unit=""))),
    breach("cards_are_complete", "higher_is_better is 'up'", card=answers(replace(CARD, higher_is_better="up"))),
    breach("cards_own_up_to_ground_truth", "has the role observed", card=answers(replace(CARD, role="observed"))),
    breach("cards_own_up_to_ground_truth", "needs hold none", card=answers(replace(CARD, is_ground_truth=True))),
    breach("there_is_one_number_per_image", "returned a list", score=own(list)),
    breach("there_is_one_number_per_image", r"\[23\] numbers, expected \[24\]", score=own(lambda scores: scores[1:])),
    breach("there_is_one_number_per_image", "returned inf", score=own(lambda scores: scores + np.inf)),
    breach("no_images_no_numbers", "ValueError", score=own(lambda scores: scores + 0 * scores.max())),
    breach("scores_come", "all scores are NaN", score_all=table(lambda scores: scores * np.nan)),
    breach(
        "no_score_is_missing", "a score is NaN", score_all=table(lambda scores: np.where(scores > 0, scores, np.nan))
    ),
    breach("scores_have_their_unit", "says 'share', and a score is", score_all=table(lambda scores: 255 * scores)),
    breach("images_do_not_depend_on_each_other", "with other images", score_all=ranked),
    breach("images_do_not_depend_on_each_other", "with other images", score_all=by_place),
    breach("equal_images_have_equal_scores", "for a copy of an image", score_all=by_place),
    breach("users_are_those_that_are_asked", "asked by score and score_all", score=owner_only),
    breach("rows_are_the_users", "for other users", score_all=table(lambda scores: scores[::-1])),
    breach("score_all_is_announced", "judges_everyone is False", judges_everyone=False, score_all=Right.score_all),
    breach(
        "the_worst_is_no_better_than_training_items",
        "worst is better than a training item",
        worst=lambda self, users: np.full(len(users), 0.1),
    ),
    breach("asking_twice_changes_nothing", "asked a second time", score_all=counted),
    breach("global_random_state_plays_no_part", "another global random state", score_all=drawn),
]
