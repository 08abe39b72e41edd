"""The contracts of scorers and of set scorers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, get_args
from unittest import SkipTest

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.declared import ScorerFlags, scorer_flags
from rebeca.guards import refuse_if
from rebeca.interfaces import NEEDS, Role, ScoredImages, Scorer, ScorerCard, SetScorer
from rebeca.testing.compare import TOLERANCE, Answers, require_equal
from rebeca.testing.contract import Contract, check
from rebeca.testing.world import World

CARD = "return a ScorerCard with name, unit, meaning and direction"
BOUNDED = ("probability", "share")
"""Units whose numbers lie between 0 and 1."""
ROW = "score every image by itself, without looking at the others"


class _ScoringContract(Contract):
    """What scorers and set scorers have in common.

    Attributes:
        cards: Name of the class method that gives them.
    """

    cards: ClassVar[str]

    def context(self, world: World) -> Any:
        """What the harness gives."""
        return world.scorer_context(self.flags)

    @property
    def flags(self) -> ScorerFlags:
        """What the scorer declares."""
        return scorer_flags(self.plugin, self.settings, self.label)

    def declared(self) -> Answers:
        """The answers of all class methods."""
        names = ("needs", "encoders", self.cards)
        return {**super().declared(), **{name: getattr(self.plugin, name)(self.settings) for name in names}}

    @property
    def images(self) -> ScoredImages:
        """Images of all users, of every awkward sort."""
        return self.once("images", lambda: self.shared_world.scored_images(self.flags.needs))

    @check(f"return a set of names out of {', '.join(NEEDS)}")
    def test_needs_are_known(self) -> None:
        """Its needs are known."""
        self.ask.names(lambda: self.plugin.needs(self.settings), "needs", NEEDS)

    @check("return a tuple of names as a task would write them, such as ('fourier:8',)")
    def test_encoders_are_names(self) -> None:
        """Its encoders are a tuple of names."""
        names = self.ask.answer(lambda: self.plugin.encoders(self.settings), "encoders", tuple)
        refuse_if(not all(isinstance(name, str) and name for name in names), f"encoders are {names!r}")

    @check(CARD)
    def test_cards_are_complete(self) -> None:
        """Every card says name, unit, direction and meaning."""
        cards = self.flags.cards
        refuse_if(not cards, "there is no card")
        for card in cards.values():
            for attribute in ("name", "unit", "meaning"):
                value = getattr(card, attribute)
                refuse_if(not isinstance(value, str) or not value.strip(), f"a card's {attribute} is {value!r}")
            self.ask.checked(card.higher_is_better, "higher_is_better", bool)
            self.ask.checked(card.role, "role", str, get_args(Role))

    @check("set is_ground_truth where the scorer needs held-out ratings or the ground truth, and for nothing else")
    def test_cards_own_up_to_ground_truth(self) -> None:
        """A card with a role of the ground truth says so."""
        for card in self.flags.cards.values():
            hidden = card.role in ("observed", "ground-truth")
            refuse_if(
                hidden and not card.is_ground_truth, f"the card '{card.name}' has the role {card.role}, no ground truth"
            )
            knows = self.flags.needs & {"held-out", "ground-truth"}
            refuse_if(
                card.is_ground_truth and not knows,
                f"the card '{card.name}' claims ground truth, and the scorer's needs hold none",
            )

    def bounded(self, card: ScorerCard, scores: Floats) -> None:
        """Refuses numbers that the card's unit cannot have."""
        known = scores[np.isfinite(scores)]
        outside = known[(known < 0) | (known > 1)] if card.unit in BOUNDED else known[:0]
        refuse_if(len(outside), f"the card says '{card.unit}', and a score is {outside[0] if len(outside) else 0:g}")


class ScorerContract(_ScoringContract):
    """What a scorer of single images must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import NoParams, Scorer, ScorerCard
        >>> from rebeca.testing import ScorerContract, run_contract
        >>> class Brightness(Scorer[NoParams]):
        ...     @classmethod
        ...     def card(cls, params):
        ...         return ScorerCard("Brightness", "grey level 0 to 255", True, "Mean of the image's pixels.")
        ...     def score(self, images, users):
        ...         return np.array([images.pixels_of(i).mean() for i in range(len(images))])
        >>> class TestBrightness(ScorerContract):
        ...     plugin = Brightness
        >>> [result.name for result in run_contract(TestBrightness) if result.broken]
        []
    """

    kind = "scorer"
    base = Scorer
    cards = "card"

    def asked(self, plugin: Any) -> Answers:
        """The scores of all images by their own users, and by all users where they can be asked."""
        images = self.images
        users = np.unique(images.user)
        answers: dict[str, Any] = {"a score": plugin.score(images, images.user), "the worst": plugin.worst(users)}
        if plugin.judges_everyone:
            answers["a score of all users"] = plugin.score_all(images, users)
        return answers

    def skip_where_images_draw_the_judge(self) -> None:
        """A confirming judge is another one for other images."""
        if self.flags.card.role == "confirming":
            raise SkipTest("all images together decide which judge it is")

    @check("return a NumPy array of floats [n], NaN where there is no answer")
    def test_there_is_one_number_per_image(self) -> None:
        """There is one number per image."""
        self.kept().score(self.images, self.images.user)

    @check("return an array of length 0")
    def test_no_images_no_numbers(self) -> None:
        """Without images there are no numbers."""
        self.kept().score(some_of(self.images, np.zeros(len(self.images), bool)), self.images.user[:0])

    @check("NaN is for single images without an answer")
    def test_scores_come(self) -> None:
        """Some image has a score."""
        scores = self.answers()["a score"]
        if self.flags.card.role == "prior":
            raise SkipTest("it scores what was decoded")
        refuse_if(not np.isfinite(scores).any(), "all scores are NaN")

    @check("where everybody can be asked about every image, only ground truth may know no answer")
    def test_no_score_is_missing(self) -> None:
        """Where every user can be asked about every image, no score is missing."""
        if not self.kept().judges_everyone or self.flags.card.is_ground_truth:
            raise SkipTest("it may leave images out")
        refuse_if(np.isnan(self.answers()["a score"]).any(), "a score is NaN")

    @check("state the unit that the numbers have")
    def test_scores_have_their_unit(self) -> None:
        """Probabilities and shares lie between 0 and 1."""
        for name, scores in self.answers().items():
            if name != "the worst":
                self.bounded(self.flags.card, scores)

    @check(ROW)
    def test_images_do_not_depend_on_each_other(self) -> None:
        """A score is the same whatever images are beside it, and in whatever order."""
        self.skip_where_images_draw_the_judge()
        scorer, images = self.kept(), self.images
        scores = scorer.score(images, images.user)
        for rows in (np.array([0]), np.arange(1, len(images), 2), np.arange(len(images))[::-1]):
            part = some_of(images, rows)
            alone = scorer.score(part, part.user)
            require_equal({"a score": scores[rows]}, {"a score": alone}, "with other images", TOLERANCE)

    @check("let a score depend on the image and the user only")
    def test_equal_images_have_equal_scores(self) -> None:
        """A user scores equal images equally."""
        images, scorer = self.images, self.kept()
        twice = some_of(images, np.repeat(np.arange(len(images)), 2))
        scores = scorer.score(twice, twice.user)
        require_equal({"a score": scores[::2]}, {"a score": scores[1::2]}, "for a copy of an image", TOLERANCE)

    @check("score image i for users[i], who need not be the user for whom it was generated")
    def test_users_are_those_that_are_asked(self) -> None:
        """Score and score_all agree, whoever is asked."""
        scorer, images = self.kept(), self.images
        if not scorer.judges_everyone:
            raise SkipTest("not every user can be asked about every image")
        users = np.unique(images.user)
        table, row = scorer.score_all(images, users), np.arange(len(images)) % len(users)
        own = table[row, np.arange(len(images))]
        require_equal(
            {"a score": own}, {"a score": scorer.score(images, users[row])}, "asked by score and score_all", TOLERANCE
        )

    @check("return one row per user of the argument users, in their order")
    def test_rows_are_the_users(self) -> None:
        """A table of some users holds the rows of the table of all."""
        scorer, images = self.kept(), self.images
        if not scorer.judges_everyone:
            raise SkipTest("not every user can be asked about every image")
        users = np.unique(images.user)
        table = scorer.score_all(images, users)
        for rows in ([1], list(range(len(users)))[::-1]):
            some = scorer.score_all(images, users[rows])
            require_equal({"a score": table[rows]}, {"a score": some}, "for other users", TOLERANCE)

    @check("set judges_everyone = True, or leave score_all out")
    def test_score_all_is_announced(self) -> None:
        """A scorer that defines score_all says that everyone can be asked."""
        defines = self.plugin.score_all is not Scorer.score_all
        everyone = self.kept().judges_everyone
        refuse_if(everyone and not defines, "judges_everyone is True, and score_all is not defined")
        fixed = isinstance(vars(self.plugin).get("judges_everyone", False), bool)
        own = "score_all" in vars(self.plugin)
        refuse_if(
            own and not everyone and fixed and "__init__" not in vars(self.plugin),
            "score_all is defined, and judges_everyone is False",
        )

    @check("return the user's worst score over the training items, or less; without worst the harness finds it")
    def test_the_worst_is_no_better_than_training_items(self) -> None:
        """What a failed image counts is no better than any training item."""
        self.skip_where_images_draw_the_judge()
        users, sign = np.unique(self.images.user), 1 if self.flags.card.higher_is_better else -1
        images = self.shared_world.training_images(self.flags.needs, users)
        scores = sign * self.kept().score(images, images.user).reshape(len(users), -1)
        if not np.isfinite(scores).any():
            raise SkipTest("it scores no training item")
        lowest, size = np.fmin.reduce(scores, axis=1), np.nanmax(np.abs([*scores.ravel(), *self.answers()["a score"]]))
        better = users[sign * self.answers()["the worst"] > lowest + size * TOLERANCE].tolist()
        refuse_if(better, f"worst is better than a training item for user {better[:1]}")


class SetScorerContract(_ScoringContract):
    """What a scorer of a user's images together must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import NoParams, ScorerCard, SetScorer
        >>> from rebeca.testing import SetScorerContract, run_contract
        >>> class DistinctImages(SetScorer[NoParams]):
        ...     @classmethod
        ...     def cards(cls, params):
        ...         return {"distinct-images": ScorerCard("Distinct", "images", True, "Different images of a user.")}
        ...     def score_sets(self, images, users):
        ...         counts = [len(np.unique(images.unique[images.user == user])) for user in users]
        ...         return {"distinct-images": np.array(counts, float)}
        >>> class TestDistinctImages(SetScorerContract):
        ...     plugin = DistinctImages
        >>> [result.name for result in run_contract(TestDistinctImages) if result.broken]
        []
    """

    kind = "set scorer"
    base = SetScorer
    cards = "cards"

    def asked(self, plugin: Any) -> Answers:
        """The measures of all users."""
        return self.measured(plugin, self.images, self.users)

    @property
    def users(self) -> Ints:
        """Those who have images."""
        return np.unique(self.images.user)

    def measured(self, scorer: Any, images: ScoredImages, users: Ints) -> Answers:
        """The measures as the scorer gives them, by name."""
        measures: Mapping[str, Floats] = scorer.score_sets(images, users)
        return {f"the measure '{name}'": values for name, values in measures.items()}

    @check("return a mapping with one NumPy array of floats [users] per card")
    def test_there_is_one_number_per_user(self) -> None:
        """There is one number per user and card."""
        self.kept().score_sets(self.images, self.users)

    @check("use short names without spaces, such as 'diversity'; they are keys of records")
    def test_measures_have_names(self) -> None:
        """Measures have names without spaces."""
        odd = [name for name in self.flags.cards if not name or any(letter.isspace() for letter in name)]
        refuse_if(odd, f"a measure is called {odd[0] if odd else ''!r}")

    @check("NaN is for users without a value")
    def test_measures_come(self) -> None:
        """Some user has a number."""
        values = [values for values in self.answers().values() if np.isfinite(values).any()]
        refuse_if(not values, "all numbers are NaN")

    @check("state the unit that the numbers have")
    def test_measures_have_their_unit(self) -> None:
        """Probabilities and shares lie between 0 and 1."""
        for name, card in self.flags.cards.items():
            self.bounded(card, self.answers()[f"the measure '{name}'"])

    @check("return one number per user of the argument users, in their order")
    def test_users_keep_their_order(self) -> None:
        """Numbers stand in the order of the users that are asked for."""
        users = self.users
        backwards = self.measured(self.kept(), self.images, users[::-1])
        turned = {name: values[::-1] for name, values in backwards.items()}
        require_equal(self.answers(), turned, "asked for users in another order", TOLERANCE)

    @check("measure every user by the user's own images; or set compares_users = True")
    def test_users_do_not_depend_on_each_other(self) -> None:
        """A user's numbers do not depend on the images of others."""
        if self.plugin.compares_users:
            raise SkipTest("it says that it compares users")
        for place, user in enumerate(self.users):
            part = some_of(self.images, self.images.user == user)
            alone = self.measured(self.kept(), part, np.array([user]))
            own = {name: values[[place]] for name, values in self.answers().items()}
            require_equal(own, alone, "with the images of one user alone", TOLERANCE)

    @check("find a user's images by images.user == user, wherever they stand")
    def test_order_of_users_images_plays_no_part(self) -> None:
        """The order in which users follow each other changes nothing."""
        order = np.lexsort((self.images.replicate, -self.images.user))
        turned = self.measured(self.kept(), some_of(self.images, order), self.users)
        require_equal(self.answers(), turned, "with the images of users in another order", TOLERANCE)

    @check("return NaN, or what the measure is without images; a generator may fail for a user")
    def test_users_without_images_are_scored(self) -> None:
        """A user without images is no error, and changes no other user's numbers."""
        users = self.users
        part = some_of(self.images, self.images.user != users[0])
        measured = self.measured(self.kept(), part, users)
        if not self.plugin.compares_users:
            others = {name: values[1:] for name, values in self.answers().items()}
            require_equal(others, {name: values[1:] for name, values in measured.items()}, "without images", TOLERANCE)

    @check("return arrays of [users], also if all images are missing")
    def test_no_images_at_all(self) -> None:
        """Without any image there is no error."""
        self.measured(self.kept(), some_of(self.images, np.zeros(len(self.images), bool)), self.users)

    @check("a set may hold a single image")
    def test_one_image_is_enough(self) -> None:
        """Users with a single image are scored."""
        self.measured(self.kept(), some_of(self.images, self.images.replicate == 0), self.users)


def some_of(images: ScoredImages, rows: Ints | Bools) -> ScoredImages:
    """Images by number, in that order, or where a mask is true."""
    index = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows)
    digests = tuple(images.digest[int(i)] for i in index)
    return replace(
        images,
        user=images.user[index],
        replicate=images.replicate[index],
        digest=digests,
        item=images.item[index],
        unique=np.array([digests.index(digest) for digest in digests], np.int64),
        embedding_of=lambda role: images.embedding_of(role)[index],
        pixels_of=lambda i: images.pixels_of(int(index[i])),
    )
