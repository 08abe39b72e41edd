"""Groups of users who judge each other's images.

In a task with few users everybody judges everybody's images. Beyond a limit a random division of the users does as
well: each user's lift is taken within the own group, whose other members are a random sample of all others, so that
its expected value stays the same. The work then grows with the users, and no longer with their square. With m users
per group, and scores that depend on nothing but noise, the variance of a mean lift grows by one part in m - 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebeca.arrays import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A division of users.

    Attributes:
        label: int [users]; group of each user, from 0.
        members: int [groups, m]; users of each group in ascending order, -1 where it has fewer than m.
        place: int [users]; place of each user among the members of the own group.
    """

    label: Ints
    members: Ints
    place: Ints

    @classmethod
    def of(cls, labels: Ints) -> Groups:
        """From any label per user, int [users]."""
        label = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        sizes = np.bincount(label)
        order = np.argsort(label, kind="stable")
        place = np.empty(len(label), np.int64)
        place[order] = np.arange(len(label)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        members = np.full((len(sizes), int(sizes.max(initial=0))), -1)
        members[label, place] = np.arange(len(label))
        return cls(label, members, place)

    @property
    def targets(self) -> Ints:
        """Int [users, m]; the users whose images each user judges, -1 where the group has fewer than m."""
        return self.members[self.label]

    def each(self) -> list[Ints]:
        """Int [members] per group."""
        return [own[own >= 0] for own in self.members]


def divided(block: Ints, most: int | None, rng: np.random.Generator) -> Ints:
    """Int [users]; the group of each user: blocks, cut at random into groups of at most so many users.

    The groups of a block differ by one user at most.

    Args:
        block: int [users].
        most: Users of a group; None leaves blocks whole.
        rng: Draws the groups.
    """
    if most is None:
        return block
    group, first = np.empty(len(block), np.int64), 0
    for label in np.unique(block):
        users = np.flatnonzero(block == label)
        groups = -(-len(users) // most)
        group[rng.permutation(users)] = first + np.arange(len(users)) % groups
        first += groups
    return group
