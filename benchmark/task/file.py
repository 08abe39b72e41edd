"""The strict model of a task file: what may be written, with types and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

ENCODER_KEYS = {"encoder", "of"}
"""Keys whose value may be a text, short for ``{use: text}``."""
ID = r"^[a-z0-9]+(-+[a-z0-9_.]+)*$"
RESERVED = "attestations"
"""No id of a generator: records have a folder of this name beside those of generators."""


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Use(StrictModel):
    """A registered name with parameters."""

    use: str = Field(description="Registered name.")
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters of its own.")


class ScorerSpec(Use):
    """A scorer; a bare string is short for ``use``."""

    id: str | None = Field(
        default=None, pattern=ID, max_length=120,
        description="Names its measure; the registered name by default. Needed where a scorer is used twice.",
    )  # fmt: skip


class EncoderSpec(StrictModel):
    """An image encoder; a bare string is short for ``use``."""

    use: str = Field(description="Registered name, with an argument after a colon, e.g. pca:16.")
    of: EncoderSpec | None = Field(default=None, description="The encoder below, for those that take one.")
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters of its own.")


class SplitSpec(StrictModel):
    """How ratings are held back."""

    kind: Literal["per-user", "per-user-exact", "held-out-items", "cold-users"] = "per-user"
    test: Annotated[float, Field(gt=0, description="Ratings per user, or the share of a block's items.")] = 10
    validation: Annotated[float, Field(ge=0, description="Likewise, out of the rest.")] = 10
    cold_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    keep: Annotated[int, Field(ge=1)] = 5


class DataSpec(StrictModel):
    """The data set."""

    kind: str = Field(description="Registered data set, e.g. folder or sprites.")
    path: str | None = Field(default=None, description="Folder, relative to the task file.")
    like_at: float | Literal["user-median"] = Field(description="Lowest rating of a liked item.")
    split: SplitSpec = SplitSpec()
    params: dict[str, Any] = Field(default_factory=dict)


class JudgeSpec(StrictModel):
    """A verifier or auditor."""

    use: str = "ncf"
    encoder: EncoderSpec
    params: dict[str, Any] = Field(default_factory=dict)


def _different(shares: list[float]) -> list[float]:
    if len(set(shares)) < len(shares):
        raise ValueError("a share is given twice")
    return shares


class JudgesSpec(StrictModel):
    """Who judges, and whether judges see the generators' ratings."""

    verifier: JudgeSpec
    auditor: JudgeSpec | None = None
    ratings: Literal["shared", "disjoint"] = "disjoint"
    learning_curve: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], AfterValidator(_different)] = Field(
        default_factory=list,
        description="Shares of each user's training ratings on which the verifier is fitted as well.",
    )


class UsersSpec(StrictModel):
    """Which users images are made for; fits always use all users."""

    segment: Literal["all", "seen", "cold"] = "all"
    limit: Annotated[int, Field(ge=1)] | None = None


class GeneratorSpec(StrictModel):
    """One generator, or a sweep that becomes several."""

    id: str | None = Field(default=None, pattern=ID, max_length=120)
    title: str | None = None
    use: str | None = None
    extends: str | None = Field(default=None, description="Id of a generator above, whose keys are the defaults.")
    params: dict[str, Any] = Field(default_factory=dict)
    decoder: dict[str, Any] = Field(default_factory=dict, description="Changed parameters of the task's decoder.")
    sweep: dict[str, list[Any]] = Field(default_factory=dict)
    images: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Images per user, where they differ from the task's."
    )
    noise_group: str = Field(default="default", pattern=ID)
    offset: int = 0


class PrimarySpec(StrictModel):
    """The number that decides."""

    scorer: str = Field(default="ncf", description="Id of a scorer of single images.")
    statistic: Literal["mean"] = "mean"


class ConfirmationSpec(StrictModel):
    """By how much the mean by the primary scorer may exceed that by the confirming judge, clearly, in a ranked row."""

    preference: Annotated[float, Field(ge=0)] = 0.08
    lift: Annotated[float, Field(ge=0)] = 0.03


class AnalysisSpec(StrictModel):
    """What was decided before the first image."""

    primary: PrimarySpec = PrimarySpec()
    reference: str
    family: Literal["against-reference", "all-pairs"] = "against-reference"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    equivalence_margin: Annotated[float, Field(gt=0)] = 0.02
    permutations: Annotated[int, Field(ge=99, le=1_000_000)] = 9999
    bootstrap: Annotated[int, Field(ge=99, le=1_000_000)] = 9999
    interval: Literal["auto", "bootstrap-t"] = Field(
        default="auto", description="auto: Student's t up to 60 users, BCa above; bootstrap-t for skewed values."
    )
    most_failures: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.05, description="Largest share of failed images of a ranked generator."
    )
    confirmation: ConfirmationSpec | None = Field(
        default=None,
        description="By how much the primary scorer may exceed the confirming judge; absent where none is asked.",
    )
    most_copies: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="Largest share of near-copies among the images of a ranked generator; absent where any may be.",
    )
    most_outside: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="Largest share of images of a ranked generator that could not be items of the world; absent where"
        " any may be.",
    )
    most_compared: Annotated[int, Field(ge=50)] | None = Field(
        default=None,
        description="Blocks are cut at random into groups of at most so many users, and personal lift compares users of"
        " one group; absent where everybody in a block is compared. The work then grows with the users, and not with"
        " their square.",
    )
    strata: list[Literal["cold", "block"]] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _without_absent_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value is not None}


class IsolateSpec(StrictModel):
    """Limits of the child process in which a plug-in generator fits and generates its images."""

    seconds: Annotated[float, Field(gt=0)] = 3600
    memory_mb: Annotated[int, Field(ge=1024)] | None = Field(
        default=None, description="Of private memory; the packages alone take close to 1,000."
    )


class TaskFile(StrictModel):
    """A task file."""

    schema_: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=ID, max_length=80)
    version: Annotated[int, Field(ge=1)]
    title: str
    seed: int = 42
    data: DataSpec
    judges: JudgesSpec
    users: UsersSpec = UsersSpec()
    images: Annotated[int, Field(ge=1, le=10_000)]
    fits: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Fits of every generator, whose seeds differ; `images` is a multiple of it."
    )
    encoder: EncoderSpec
    decoder: Use
    generators: Annotated[list[GeneratorSpec], Field(min_length=1)]
    scorers: Annotated[list[str | ScorerSpec], Field(min_length=1)]
    failures: Literal["exclude", "worst", "abort"] = Field(
        default="worst",
        description="How a failed image counts: as the user's worst score; not at all; or the run stops.",
    )
    isolate: bool | IsolateSpec = Field(
        default=False,
        description="Run plug-in generators in a child process; one that fails only loses its row.",
    )
    references: list[str] = Field(
        default_factory=list, description="What the data are to be cited by: one text per BibTeX entry."
    )
    analysis: AnalysisSpec

    def to_json(self) -> dict[str, Any]:
        """JSON with every default spelled out, without ``isolate`` and ``references``, which change no result."""
        return self.model_dump(mode="json", by_alias=True, exclude={"isolate", "references"})

    @property
    def isolation(self) -> IsolateSpec | None:
        """Limits of child processes, or None where everything runs in one process."""
        if isinstance(self.isolate, bool):
            return IsolateSpec() if self.isolate else None
        return self.isolate


def json_schema() -> dict[str, Any]:
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rebeca-bench task file"}
    schema = TaskFile.model_json_schema(by_alias=True) | about
    _allow_short_encoders(schema)
    return schema


def _allow_short_encoders(node: Any) -> None:
    """Lets an encoder be a bare string, as ``benchmark.task.resolve`` reads it."""
    if isinstance(node, dict):
        properties = node.get("properties", {})
        for name in ENCODER_KEYS & set(properties):
            properties[name] = {"anyOf": [{"type": "string"}, properties[name]]}
        for child in node.values():
            _allow_short_encoders(child)
    elif isinstance(node, list):
        for child in node:
            _allow_short_encoders(child)
