"""Seeds that depend on what an image or a fit is, never on time, machine or the rest of a batch.

An image's seed is the first 8 bytes of SHA-256 over the canonical JSON of
``[task id, version, seed, offset, noise group, user, replicate]``. Generators of a task share the noise group
``default``, so that they are paired. Streams (``prior-init``, ``prior-step``, ``decoder``, ``candidate-j``)
are hashed from the image's seed; each has a random generator of its own.

A fit's seed is derived in the same way from ``["fit", task id, version, seed, role, name, parameters, f]``,
where f counts the fits of one generator from 0, and is 0 for judges and encoders.
Of the parameters only those count that differ from their defaults, so a new parameter moves no seed as long as its
default keeps the old behaviour. The device, the embeddings and the project's version are in no seed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["SeedScheme", "seed_of", "substream", "torch_generator"]

DEFAULT_NOISE_GROUP = "default"


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces; refuses NaN and infinities, which JSON cannot carry.

    Raises:
        ValueError: If a float is not finite.
        TypeError: If a value is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of ``value``, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def seed_of(*parts: object) -> int:
    """The first 8 bytes of SHA-256 over the canonical JSON of ``parts``, as an integer in [0, 2**64).

    Example:
        >>> from rebeca.seeds import seed_of
        >>> seed_of("ann", 0) == seed_of("ann", 0), seed_of("ann", 0) == seed_of("ann", 1)
        (True, False)

    Raises:
        ValueError: If a part holds a float that is not finite.
        TypeError: If a part is not JSON.
    """
    return int(digest_of(list(parts))[:16], 16)


def substream(seed: int, name: str) -> int:
    """The seed of the stream ``name`` of an image or fit whose seed is ``seed``, in [0, 2**64).

    Example:
        >>> import numpy as np
        >>> from rebeca.seeds import substream
        >>> colours, places = (np.random.default_rng(substream(7, name)) for name in ("colours", "places"))
        >>> int(colours.integers(100)), int(places.integers(100))
        (25, 29)
    """
    return seed_of(seed, name)


@dataclass(frozen=True, slots=True)
class SeedScheme:
    """All seeds of one task.

    Attributes:
        task_id: Identifier of the task.
        version: Version of the task.
        seed: The task's ``seed``.
        offset: Added by a generator that wants other noise than the others; 0 pairs all generators.

    Example:
        >>> from rebeca.seeds import SeedScheme
        >>> seeds = SeedScheme("shades", version=1, seed=0)
        >>> seeds.image("ann", replicate=0)
        15539420416051005453
    """

    task_id: str
    version: int
    seed: int
    offset: int = 0

    def image(self, user: str, replicate: int, noise_group: str = DEFAULT_NOISE_GROUP) -> int:
        """Seed of one image of a user, in [0, 2**64); equal for all generators of a noise group."""
        return seed_of(self.task_id, self.version, self.seed, self.offset, noise_group, user, replicate)

    def fit(self, key: str) -> int:
        """Seed of a draw that is named by ``key``, such as the users of the gallery."""
        return seed_of(self.task_id, self.version, self.seed, key)

    def fitting(self, role: str, use: str, params: object, number: int = 0) -> int:
        """Seed of a fit.

        Args:
            role: ``generator``, or the role of a judge or encoder, e.g. ``judge verifier`` or ``encoder task``.
            use: Registered name.
            params: JSON of those parameters that the fit depends on and that differ from their defaults; see
                :func:`rebeca.params.changed_params`.
            number: Number of the fit, counted from 0 where a generator is fitted several times.
        """
        return seed_of("fit", self.task_id, self.version, self.seed, role, use, params, number)


def torch_generator(seed: int) -> torch.Generator:
    """A CPU generator with this seed: the same numbers on every device.

    Example:
        >>> import torch
        >>> from rebeca.seeds import torch_generator
        >>> noise = torch.randn(2, 3, generator=torch_generator(7))
        >>> torch.equal(noise, torch.randn(2, 3, generator=torch_generator(7)))
        True
    """
    import torch

    return torch.Generator("cpu").manual_seed(seed)
