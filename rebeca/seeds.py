"""Seeds that depend on what a picture is, never on when or beside what it is made.

A picture's seed is the first 8 bytes of SHA-256 over the canonical JSON of
``[task id, version, seed, offset, noise group, user, replicate]``. Arms of a task share the noise group
``default``, so that they are paired. Streams (``prior-init``, ``prior-step``, ``decoder``, ``candidate-j``)
are hashed from the picture's seed; each has a random generator of its own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

DEFAULT_NOISE_GROUP = "default"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; refuses NaN and infinities, which JSON cannot carry.

    Raises:
        ValueError: If a float is not finite.
        TypeError: If a value is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def seed_of(*parts: Any) -> int:
    """The first 8 bytes of SHA-256 over the canonical JSON of ``parts``, as an integer in [0, 2**64)."""
    return int(digest_of(list(parts))[:16], 16)


def substream(seed: int, name: str) -> int:
    """The seed of the stream ``name`` of a picture or fit whose seed is ``seed``."""
    return seed_of(seed, name)


@dataclass(frozen=True, slots=True)
class SeedScheme:
    """All seeds of one task.

    Attributes:
        task_id: Identifier of the task.
        version: Version of the task.
        seed: The task's ``seed``.
        offset: Added by a generator that wants other noise than its neighbours; 0 pairs all arms.
    """

    task_id: str
    version: int
    seed: int
    offset: int = 0

    def picture(self, user: str, replicate: int, noise_group: str = DEFAULT_NOISE_GROUP) -> int:
        """Seed of one picture."""
        return seed_of(self.task_id, self.version, self.seed, self.offset, noise_group, user, replicate)

    def fit(self, key: str) -> int:
        """Seed of a fit, or of any other draw that is named by ``key``."""
        return seed_of(self.task_id, self.version, self.seed, key)


def torch_generator(seed: int) -> torch.Generator:
    """A CPU generator with this seed: the same numbers on every device."""
    import torch

    return torch.Generator("cpu").manual_seed(seed)
