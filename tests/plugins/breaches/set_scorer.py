"""Broken set scorers."""

import numpy as np

from rebeca import NoParams, ScorerCard, SetScorer
from rebeca.testing import SetScorerContract
from tests.plugins.breaches import answers, breach, raises

CARD = ScorerCard("Distinct", "share", True, "Share of a user's images that are no repeats.")


class Right(SetScorer[NoParams]):
    @classmethod
    def cards(cls, params):
        return {"distinct": CARD}

    def score_sets(self, images, users):
        own = [images.unique[images.user == user] for user in users]
        return {"distinct": np.array([len(np.unique(rows)) / len(rows) if len(rows) else np.nan for rows in own])}


def measured(change):
    return lambda self, images, users: {"distinct": change(Right.score_sets(self, images, users)["distinct"])}


def careless(self, images, users):
    own = [images.unique[images.user == user] for user in users]
    return {"distinct": np.array([len(np.unique(rows)) / max(rows) * 0 for rows in own])}


def of_all(self, images, users):
    return {"distinct": np.full(len(users), len(np.unique(images.unique)) / max(1, len(images)) / len(users))}


def in_blocks(self, images, users):
    parts = np.array_split(images.unique, len(users))
    return {
        "distinct": np.array([len(np.unique(rows)) / max(1, len(rows)) / (1 + rows.min(initial=9)) for rows in parts])
    }


def drawn(self, images, users):
    return {"distinct": np.random.random(len(users))}


def counted(self, images, users):
    self.calls = getattr(self, "calls", 0) + 1
    return measured(lambda values: values / self.calls)(self, images, users)


def pairs(self, images, users):
    own = [images.unique[images.user == user] for user in users]
    return {"distinct": np.array([float(rows[0] != rows[1]) if len(rows) else np.nan for rows in own])}


def absent(self, images, users):
    if not len(images):
        raise ValueError("no images")
    return Right.score_sets(self, images, users)


CONTRACT = SetScorerContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", score_sets=raises),
    breach("class_is_complete", "does not define score_sets", score_sets=SetScorer.score_sets),
    breach("needs_are_known", "needs names 'gold'", needs=answers({"gold"})),
    breach("cards_are_complete", "there is no card", cards=answers({})),
    breach(
        "cards_are_complete",
        "a card's meaning is ' '",
        cards=answers({"distinct": ScorerCard("D", "share", True, " ")}),
    ),
    breach("there_is_one_number_per_user", "cards are", score_sets=lambda self, images, users: {"other": users * 1.0}),
    breach(
        "there_is_one_number_per_user",
        r"returned \[3\] numbers, expected \[8\]",
        score_sets=measured(lambda values: values[:3]),
    ),
    breach("there_is_one_number_per_user", "returned a list", score_sets=measured(list)),
    breach(
        "measures_have_names",
        "a measure is called 'how distinct'",
        cards=answers({"how distinct": CARD}),
        score_sets=lambda self, images, users: {"how distinct": users / 8},
    ),
    breach("measures_come", "all numbers are NaN", score_sets=measured(lambda values: values * np.nan)),
    breach(
        "measures_have_their_unit", "says 'share', and a score is", score_sets=measured(lambda values: values * 100)
    ),
    breach(
        "users_keep_their_order",
        "users in another order",
        score_sets=lambda self, images, users: Right.score_sets(self, images, np.sort(users)),
    ),
    breach("users_do_not_depend_on_each_other", "images of one user alone", score_sets=of_all),
    breach("order_of_users_images_plays_no_part", "images of users in another order", score_sets=in_blocks),
    breach("users_without_images_are_scored", "ValueError", score_sets=careless),
    breach("no_images_at_all", "ValueError: no images", score_sets=absent),
    breach("one_image_is_enough", "IndexError", score_sets=pairs),
    breach("asking_twice_changes_nothing", "asked a second time", score_sets=counted),
    breach("global_random_state_plays_no_part", "another global random state", score_sets=drawn),
]
