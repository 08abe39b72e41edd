"""The contract of judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from rebeca.arrays import Floats
from rebeca.guards import refuse_if
from rebeca.interfaces import Judge
from rebeca.testing.compare import TOLERANCE, Answers, require_equal
from rebeca.testing.contract import Contract, check
from rebeca.testing.progress import ProgressLog
from rebeca.testing.world import LONELY, SOUR, USERS, World

ROW = "score every pair of a user and an embedding by itself, without looking at the others"


class JudgeContract(Contract):
    """What a judge must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import json
        >>> import numpy as np
        >>> from rebeca import Judge, NoParams
        >>> from rebeca.testing import JudgeContract, run_contract
        >>> class LikeRate(Judge[NoParams]):
        ...     def fit(self, part, embeddings):
        ...         likes = np.bincount(part.train.user, part.train.liked, part.train.num_users)
        ...         self.rate = (likes + 1) / (part.train.ratings_per_user() + 2)
        ...     def save(self, folder):
        ...         (folder / "rate.json").write_text(json.dumps(self.rate.tolist()))
        ...     def load(self, folder):
        ...         self.rate = np.array(json.loads((folder / "rate.json").read_text()))
        ...     def score_all(self, embeddings, users=None):
        ...         rate = self.rate if users is None else self.rate[users]
        ...         return np.repeat(rate[:, None], len(embeddings), axis=1)
        >>> class TestLikeRate(JudgeContract):
        ...     plugin = LikeRate
        >>> [result.name for result in run_contract(TestLikeRate) if result.broken]
        []
    """

    kind = "judge"
    base = Judge

    def context(self, world: World, progress: ProgressLog | None = None) -> Any:
        """What the harness gives."""
        return world.judge_context(progress or ProgressLog())

    def ready(self, place: Path) -> Any:
        """A judge that was fitted, saved, and loaded in a new object."""
        (place / "given").mkdir()
        self.fit().save(place / "given")
        judge = self.build()
        judge.load(place / "given")
        return judge

    def asked(self, plugin: Any) -> Answers:
        """The scores of all items."""
        return {"a score": plugin.score_all(self.shared_world.embeddings)}

    def fit(self, embeddings: Floats | None = None, progress: ProgressLog | None = None) -> Any:
        """A fitted judge."""
        world = self.shared_world
        judge = self.build(self.context(world, progress))
        judge.fit(world.division.verifier, world.embeddings if embeddings is None else embeddings)
        return judge

    def fitted(self) -> tuple[Any, ProgressLog]:
        """A judge in the object that was fitted, for checks that only ask, and the progress of its fit."""

        def make() -> tuple[Any, ProgressLog]:
            log = ProgressLog()
            return self.fit(progress=log), ProgressLog(calls=log.calls.copy())  # not what it reports when it is asked

        return self.once("fitted", make)

    # --- checks

    @check("return a NumPy array of floats [users, n]")
    def test_there_is_one_score_per_pair(self) -> None:
        """There is one number per user and embedding."""
        self.kept().score_all(self.shared_world.embeddings[:5])

    @check("return probabilities: from 0 to 1, finite, for embeddings of any length")
    def test_scores_are_probabilities(self) -> None:
        """Scores are probabilities, also for embeddings far from all items."""
        embeddings = self.shared_world.embeddings
        far = np.concatenate([embeddings, 100 * embeddings, -100 * embeddings, 0 * embeddings])
        self.kept().score_all(far.astype(np.float32))

    @check("treat users without training ratings, or without likes, as somebody about whom nothing is known")
    def test_users_without_likes_are_judged(self) -> None:
        """Users without ratings or likes have scores as well."""
        if self.shared_world.users != USERS:
            raise SkipTest("its own world has no such users")
        self.kept().score_all(self.shared_world.embeddings, np.array([LONELY, SOUR]))

    @check("use users as indices into all users, in the order in which they stand there")
    def test_some_users_are_rows_of_all(self) -> None:
        """Scores of some users are the rows of the table of all users."""
        judge, embeddings = self.kept(), self.shared_world.embeddings
        everyone = judge.score_all(embeddings)
        for users in ([2], [5, 0, 3], list(range(len(everyone)))[::-1]):
            some = judge.score_all(embeddings, np.array(users))
            require_equal({"a score": everyone[users]}, {"a score": some}, f"for users {users}", TOLERANCE)

    @check(ROW)
    def test_embeddings_do_not_depend_on_each_other(self) -> None:
        """A score is the same whatever embeddings are beside it, and in whatever order."""
        judge, embeddings = self.kept(), self.shared_world.embeddings
        everyone = judge.score_all(embeddings)
        for rows in ([7], [3, 3, 1], list(range(len(embeddings)))[::-1]):
            some = judge.score_all(embeddings[rows])
            require_equal({"a score": everyone[:, rows]}, {"a score": some}, "with other embeddings", TOLERANCE)

    @check("return an array of shape [users, 0]")
    def test_no_embeddings_no_scores(self) -> None:
        """Without embeddings there are no scores."""
        self.kept().score_all(self.shared_world.embeddings[:0])

    @check("write all that fit learned in save, and read it in load")
    def test_loaded_judges_answer_alike(self) -> None:
        """A new object that loads a fit gives the scores of the object that was fitted."""
        require_equal(self.asked(self.fitted()[0]), self.answers(), "after save and load")

    @check("look at embeddings[context.training_items] only")
    def test_fit_sees_no_held_out_item(self) -> None:
        """Embeddings of held-out items change nothing in a fit."""
        world = self.shared_world
        other = world.embeddings.copy()
        rated = world.division.verifier.joined().item
        hidden = ~world.division.training_items & ~np.isin(np.arange(len(other)), rated)
        other[hidden] = other[hidden][::-1] * 3 + 1
        seen = world.embeddings[world.division.training_items]
        first, second = ({"a score": judge.score_all(seen)} for judge in (self.fitted()[0], self.fit(other)))
        require_equal(first, second, "where held-out items have other embeddings")

    @check("call progress(done, total, note) with 0 <= done <= total, and never with less than before")
    def test_progress_counts_up(self) -> None:
        """Progress is counted up to its total."""
        self.fitted()[1].check()

    @check("take the ids and the number of users from context.users, not from the ratings")
    def test_users_are_those_of_the_context(self) -> None:
        """There are scores for every user of the data set, also where nobody of them is in the training ratings."""
        world = self.shared_world
        part = world.division.verifier
        some = replace(part, train=part.train.where(part.train.user < LONELY))
        judge = self.build()
        judge.fit(some, world.embeddings)
        scores = judge.score_all(world.embeddings)
        refuse_if(len(scores) != len(world.users), f"scores of {len(scores)} users, expected {len(world.users)}")
