"""A resolved task: every default spelled out, parameters as the dataclasses of their plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.task.declared import generator_flags, scorer_flags
from benchmark.task.encoders import ResolvedEncoder
from benchmark.task.file import TaskFile
from benchmark.task.spec import Spec
from rebeca.declared import GeneratorFlags, ScorerFlags
from rebeca.params import params_json
from rebeca.seeds import SeedScheme


@dataclass(frozen=True, slots=True)
class ResolvedGenerator:
    """A generator with everything spelled out.

    Attributes:
        id: Unique in the task.
        title: Name on the leaderboard.
        use: Registered name.
        params: Its ``Params`` dataclass.
        decoder: All parameters of its decoder.
        noise_group: Generators of one group share their noise.
        offset: Part of the seeds of the noise.
        images: Images per user, where they differ from the task's.
    """

    id: str
    title: str
    use: str
    params: Any
    decoder: Any
    noise_group: str
    offset: int
    images: int | None = None

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"params": params_json(self.params), "decoder": params_json(self.decoder)}

    def flags(self) -> GeneratorFlags:
        return generator_flags(self.use, self.params, self.id)


@dataclass(frozen=True, slots=True)
class ResolvedScorer:
    """A scorer or set scorer with its parameters.

    Attributes:
        use: Registered name.
        params: Its ``Params`` dataclass.
        id: Unique in the task; names the measure. By default the registered name.
    """

    use: str
    params: Any
    id: str

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "use": self.use, "params": params_json(self.params)}

    def flags(self) -> ScorerFlags:
        return scorer_flags(self.use, self.params, self.id)


@dataclass(frozen=True, slots=True)
class ResolvedJudge:
    """A judge with everything spelled out.

    Attributes:
        use: Registered name.
        params: Its ``Params`` dataclass.
        encoder: The encoder in whose space it judges.
    """

    use: str
    params: Any
    encoder: ResolvedEncoder


@dataclass(frozen=True, slots=True)
class Task:
    """A resolved task.

    Attributes:
        file: The strict model, ``extends`` and ``--set`` applied.
        source: The task file.
        data_path: Absolute path of the data, where there is one.
        generators: With sweeps expanded.
        scorers: In order.
        encoder: The task's.
        judges: ``verifier`` and, where there is one, ``auditor``.
        data: Parameters of the data set.
        modified: Whether ``--set`` or ``--limit-users`` changed what could change a result.
        declares: Whether the run writes the task down; a generator that is handed in joins a declaration that exists.
    """

    file: TaskFile
    source: Path
    data_path: Path | None
    generators: tuple[ResolvedGenerator, ...]
    scorers: tuple[ResolvedScorer, ...]
    encoder: ResolvedEncoder
    judges: Mapping[str, ResolvedJudge]
    data: Any
    modified: bool
    declares: bool = True

    def images_of(self, generator: ResolvedGenerator) -> int:
        return generator.images or self.file.images

    @property
    def seeds(self) -> SeedScheme:
        return SeedScheme(self.file.id, self.file.version, self.file.seed)

    def spec(self) -> Spec:
        """The task as records keep it, without paths of this machine, ``isolate`` and ``references``."""
        raw = self.file.to_json()
        raw["data"]["path"] = None
        raw["generators"] = [generator.to_json() for generator in self.generators]
        raw["scorers"] = [scorer.to_json() for scorer in self.scorers]
        return Spec.model_validate(raw)

    def to_json(self) -> dict[str, Any]:
        return self.spec().to_json()

    def hash(self) -> str:
        return self.spec().hash()

    def analysis_hash(self) -> str:
        return self.spec().analysis_hash()
