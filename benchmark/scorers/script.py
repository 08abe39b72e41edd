"""Scripts in other Pythons as scorers of a task; what runs them is in :mod:`rebeca.scorers.script`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rebeca.arrays import Floats, Ints
from rebeca.environments import check_interpreter, versions_of
from rebeca.images import LazyPixels
from rebeca.interfaces import ScoredImages, Scorer, ScorerCard, ScorerContext
from rebeca.params import Count, Positive
from rebeca.scorers.script import ScorerScript
from rebeca.seeds import digest_of


@dataclass(frozen=True, slots=True)
class ScriptParams:
    """Parameters of a task file.

    Attributes:
        script: The file, relative to the task file; how it is called says :class:`rebeca.scorers.ScorerScript`.
        content: SHA-256 of the script; filled in by the harness, so that a changed script scores again.
        python: An interpreter, relative to the task file, such as ``old-env/bin/python``. Without one, uv makes the
            environment that the script's inline metadata ask for.
        prompt: The one prompt under which all images are scored; none by default.
        title: Heading on the leaderboard; by default the script's name.
        unit: Unit of the scores.
        higher_is_better: Direction.
        meaning: One sentence about the score.
        reference: Source of the score.
        seconds: Limit of time for the images of one generator.
        memory_mb: Limit of the private memory of the process.
    """

    script: str
    content: str = ""
    python: str | None = None
    prompt: str | None = None
    title: str = ""
    unit: str = "score"
    higher_is_better: bool = True
    meaning: str = ""
    reference: str = ""
    seconds: Positive = 3600.0
    memory_mb: Count | None = None
    FILES: ClassVar[tuple[str, ...]] = ("script",)
    LOCATIONS: ClassVar[tuple[str, ...]] = ("python",)
    CONTENTS: ClassVar[Mapping[str, str]] = {"content": "script"}
    LIMITS: ClassVar[tuple[str, ...]] = ("seconds", "memory_mb")

    def run_by(self) -> ScorerScript:
        """The script, ready to be run."""
        return ScorerScript(self.script, python=self.python, seconds=self.seconds, memory_mb=self.memory_mb)


class ScriptScorer(Scorer[ScriptParams]):
    """``script``: scores by somebody's script in another Python; the user plays no part."""

    Params = ScriptParams

    def __init__(self, params: ScriptParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self._script = params.run_by()
        self._scores: dict[str, Floats] = {}

    @classmethod
    def check(cls, params: ScriptParams) -> None:
        """Refuses a script that nothing could run."""
        python = None if params.python is None else Path(params.python)
        check_interpreter(Path(params.script), python)
        if python is not None:
            versions_of(python)

    @classmethod
    def card(cls, params: ScriptParams) -> ScorerCard:
        name = Path(params.script).name
        meaning = params.meaning or f"Score by the script {name}, which runs in a Python of its own."
        return ScorerCard(params.title or name, params.unit, params.higher_is_better, meaning, params.reference)

    @classmethod
    def fingerprint(cls, params: ScriptParams) -> str:
        """Changes with the versions of that Python and of its packages."""
        return params.run_by().fingerprint()

    @classmethod
    def environment(cls, params: ScriptParams) -> Mapping[str, str]:
        return params.run_by().environment()

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; every different image is scored once, in one process for all of them.

        Images are ordered by their digests, and the same set of images is asked about once: so a process sees the same
        images in whatever order the harness has users and generators.
        """
        image = {digest: i for i, digest in enumerate(images.digest)}
        digests = sorted(image)
        place = {digest: row for row, digest in enumerate(digests)}
        asked = digest_of(digests)
        if asked not in self._scores:
            pixels = LazyPixels(images.pixels_of, [image[digest] for digest in digests])
            self._scores[asked] = self._script.score(pixels, self.params.prompt)
        return self._scores[asked][[place[digest] for digest in images.digest]]
