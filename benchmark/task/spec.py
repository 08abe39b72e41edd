"""The resolved task as records keep it: every default spelled out, sweeps expanded, no paths of this machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.task.file import ID, AnalysisSpec, DataSpec, EncoderSpec, JudgesSpec, StrictModel, Use, UsersSpec
from rebeca.seeds import SeedScheme, digest_of

DECLARED = ("id", "version", "seed", "users", "images", "fits", "failures", "analysis")
"""Keys that make up the declaration."""


class GeneratorEntry(StrictModel):
    """A generator with everything spelled out."""

    id: str = Field(pattern=ID, max_length=120, description="Id, unique in the task.")
    title: str = Field(description="Title.")
    use: str = Field(description="Registered name.")
    params: dict[str, Any] = Field(description="Parameters, every default spelled out.")
    decoder: dict[str, Any] = Field(description="Parameters of the decoder.")
    noise_group: str = Field(
        pattern=ID,
        max_length=120,
        description="Part of the seeds. Generators share their noise if group and `offset` are both equal.",
    )
    offset: int = Field(
        description="Part of the seeds. Generators share their noise if `noise_group` and offset are both equal."
    )
    images: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        description="Images per user, where they differ from the task's."
    )


class ScorerEntry(StrictModel):
    """A scorer with its parameters."""

    id: str = Field(description="Names its measure.")
    use: str = Field(description="Registered name.")
    params: dict[str, Any] = Field(description="Parameters, every default spelled out.")


class Spec(StrictModel):
    """The resolved task file."""

    schema_: Literal[1] = Field(alias="schema", description="Version of the schema of task files.")
    id: str = Field(pattern=ID, max_length=80, description="Id of the task.")
    version: Annotated[int, Field(ge=1)] = Field(description="Version of the task.")
    title: str = Field(description="Title.")
    seed: int = Field(description="Seed of everything that is drawn.")
    data: DataSpec = Field(description="Data set and split; the path is null.")
    judges: JudgesSpec = Field(description="Verifier, auditor, learning curve.")
    users: UsersSpec = Field(description="Which users images are made for.")
    images: Annotated[int, Field(ge=1, le=10_000)] = Field(description="Images per user.")
    fits: Annotated[int, Field(ge=1)] = Field(
        description="Fits of every generator; image k of a user is of fit k modulo this number."
    )
    encoder: EncoderSpec = Field(description="The generators' encoder.")
    decoder: Use = Field(description="Turns embeddings into images.")
    generators: list[GeneratorEntry] = Field(description="Sweeps expanded.", min_length=1)
    scorers: list[ScorerEntry] = Field(description="In the order of the task file.", min_length=1)
    failures: Literal["exclude", "worst", "abort"] = Field(description="How failures count.")
    analysis: AnalysisSpec = Field(description="Decided before the first image.")

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)

    def hash(self) -> str:
        return digest_of(self.to_json())

    def analysis_hash(self) -> str:
        """SHA-256 of the declaration; it names the random streams of the analysis."""
        spec = self.to_json()
        return digest_of({key: spec[key] for key in DECLARED})

    @property
    def seeds(self) -> SeedScheme:
        return SeedScheme(self.id, self.version, self.seed)

    def generator(self, name: str) -> GeneratorEntry | None:
        return next((entry for entry in self.generators if entry.id == name), None)

    def images_of(self, generator: GeneratorEntry) -> int:
        return generator.images or self.images
