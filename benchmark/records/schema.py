"""The strict model of records: every field with its type, range and meaning.

Records are validated when they are written and again before anything reads them. The results are those of
:mod:`benchmark.analysis.results`. docs/reference/records.md is generated from this module, and
``rebeca-bench schema --record`` prints its JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from benchmark.analysis.inputs import Plan
from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.numbers import AtLeastOne, Count, Interval, NotNegative, PermutationTest, absent, empty
from benchmark.analysis.results import GeneratorResults, Personal, Summary, TaskResults
from benchmark.task.file import ID, StrictModel
from benchmark.task.spec import GeneratorEntry, Spec
from rebeca.arrays import Ints
from rebeca.interfaces import ScorerCard

SCHEMA: Literal[3] = 3
"""Raised whenever a field is added, removed or changes its meaning."""

PUBLISHED_PERMUTATIONS = 1000
"""Of the published scheme."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=ID, max_length=120)]
Need = Literal["judge", "held-out", "ground-truth"]


class Strict(StrictModel, strict=True):
    """No unknown fields, no conversions, no infinities."""


class TaskHeader(Strict):
    """The task."""

    id: Name = Field(description="Id of the task.")
    version: AtLeastOne = Field(description="Version of the task.")
    title: str = Field(description="Title.")
    hash: Sha256 = Field(description="SHA-256 of the resolved spec.")
    modified: bool = Field(description="Whether `--set`, `--only` or `--limit-users` changed it.")


class MeasureInfo(Strict):
    """A measure."""

    card: ScorerCard = Field(description="Title, unit, direction and meaning.")
    of_images: bool = Field(description="Whether single images have a score; otherwise whole sets have one.")
    everyone: bool = Field(description="Whether the scorer can be asked for every user and every image.")
    range: tuple[float, float] | None = Field(
        description="Lowest and highest possible value, within which intervals stay; null where there is no limit."
    )


class GeneratorInfo(GeneratorEntry, strict=True):
    """The generator: its entry in the spec, and what its class declares."""

    family: str = Field(description="`rebeca`, `catalogue`, `prompt`, `control`, `adversary` or `external`.")
    needs: tuple[Need, ...] = Field(description="What makes it privileged.")
    ranked: bool = Field(description="Whether it takes part in the ranks: exactly when it needs nothing.")
    claims_personal: bool = Field(description="Whether images are meant to differ between users.")
    fit_varies: bool = Field(description="Whether a fit with another seed may learn something else.")
    fitted_elsewhere: bool = Field(description="Whether somebody else fitted the models.")

    @property
    def may_vary(self) -> bool:
        """Whether another fit could give other images: as its class says, and always if somebody else fitted it."""
        return self.fit_varies or self.fitted_elsewhere

    @property
    def procedure(self) -> str:
        """How it was fitted; generators of one procedure pool their variance between fits."""
        return f"{self.use} {self.id}" if self.fitted_elsewhere else self.use


class ShownImage(Strict):
    """An image in the record."""

    user: str = Field(description="Id of the user.")
    replicate: Count = Field(description="Number of the image, counted per user from 0.")
    digest: Sha256 = Field(description="SHA-256 of its size and pixels.")


class Images(Strict):
    """The images of the generator."""

    requested: AtLeastOne = Field(description="Number of requests.")
    valid: Count = Field(description="Images without a failure.")
    failures: Mapping[str, AtLeastOne] = Field(
        description="Failures by kind: `missing`, `blank` (no channel spans more than 2 of 255 levels)."
    )
    different: Count = Field(description="Different images among those returned, blank ones included.")
    from_catalogue: Count = Field(description="Images that are items of the data set.")
    copies: Count = Field(description="Generated, yet equal to an item in every pixel.")
    digest: Sha256 = Field(description="SHA-256 of user, replicate and digest of all images, in order.")
    set_digest: Sha256 = Field(description="Of the sorted digests: equal for the same images in another order.")
    shown: tuple[ShownImage, ...] = Field(
        description="Images in `images.parquet`; none where the data may not be republished."
    )


class Fit(Strict):
    """A fit of the generator."""

    number: Count = Field(description="Counted from 0.")
    key: Sha256 = Field(description="Address in the store.")
    seed: Annotated[int, Field(ge=0, lt=2**64)] = Field(description="Seed of the fit.")
    report: Mapping[str, JsonValue] = Field(description="What the generator reports, such as losses.")


class GitState(Strict):
    """The checkout in which the package ran."""

    commit: str = Field(description="Commit.")
    dirty: bool = Field(description="Whether files were changed.")


class EncoderInfo(Strict):
    """An encoder of the run."""

    use: str = Field(description="Registered name.")
    address: Sha256 = Field(description="Address of the embeddings in the store.")


class PluginInfo(Strict):
    """A plug-in of another distribution."""

    kind: str = Field(description="`generator`, `scorer`, `judge`, `encoder`, `decoder` or `data set`.")
    name: str = Field(description="Registered name.")
    distribution: str = Field(description="The distribution that registers it; empty where it has no metadata.")
    version: str = Field(description="Of the distribution.")
    hash: Sha256 = Field(description="SHA-256 over its files, its version and the versions of its direct requirements.")


class Machine(Strict):
    """All that rounding depends on: two runs whose machines are equal give the same bytes."""

    python: str = Field(description="Version of Python.")
    system: str = Field(description="Operating system and architecture.")
    processor: str = Field(description="Model, and the instructions used.")
    threads: AtLeastOne = Field(description="Threads of torch.")
    packages: Mapping[str, str | None] = Field(description="Versions of packages.")
    device: str = Field(description="Device, as its maker calls it.")


class Provenance(Machine):
    """Versions, machine, weights, command line and times of the run."""

    project: str = Field(description="Version of this project.")
    git: GitState | None = Field(description="The checkout; null where the package was installed.")
    dtype: str = Field(description="Number formats of decoders, scorers and encoders.")
    users_per_unit: Count = Field(description="Users per work unit.")
    weights: Mapping[str, str] = Field(
        description="Weights: name, origin and the start of the digest, by name. The origin is `published` or `random`,"
        " or for files that the task names `known` or `unknown`: whether they are published ones."
    )
    plugins: tuple[PluginInfo, ...] = Field(description="Plug-ins of other distributions.")
    environments: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict,
        exclude_if=empty,
        description="By kind and name of a plug-in that runs a script in another Python: the versions of that Python"
        " and of its packages, and the SHA-256 of the script; absent if none does.",
    )
    batches: Mapping[str, tuple[Count, ...]] = Field(
        description="By generator: images decoded at once; several numbers where the run was resumed on another device."
    )
    encoders: Mapping[str, EncoderInfo] = Field(description="Encoders by role.")
    judges: Mapping[str, Sha256] = Field(description="Addresses of the fitted judges.")
    seed: int = Field(description="The task's seed.")
    command: str = Field(description="Command line, without secrets and folders.")
    declared: str | None = Field(description="When the analysis was written down, in UTC.")
    added: tuple[str, ...] = Field(description="Generators that were added after the first image.")
    created: str = Field(description="When the record was written, in UTC.")
    seconds: Mapping[str, NotNegative] = Field(
        description="Wall seconds per stage of what this run computed itself, added up over its processes."
    )
    decoded: Mapping[str, AtLeastOne] = Field(
        description="By generator: images that this run generated in those seconds."
    )
    peak_memory_mb: Count | None = Field(description="Largest resident memory of the process.")

    @property
    def random_weights(self) -> list[str]:
        """Published weights in whose place random ones were used: then the numbers mean nothing."""
        return sorted(name for name, identity in self.weights.items() if " random " in identity)


class Record(Strict):
    """What both kinds of records hold."""

    schema_: Literal[3] = Field(alias="schema", description="Version of this schema.")
    task: TaskHeader = Field(description="The task.")
    provenance: Provenance = Field(description="Versions, machine, weights, command line and times of the run.")


def _printable(text: str) -> str:
    odd = next((letter for letter in text if not letter.isprintable()), "")
    if odd or text != text.strip() or not text:
        raise ValueError(f"holds the character U+{ord(odd):04X}" if odd else "is empty, or begins or ends with a blank")
    return text


def _without_semicolon(text: str) -> str:
    if ";" in text:
        raise ValueError("holds a semicolon, which separates parts of the row's line")
    return text


Line = Annotated[str, AfterValidator(_printable), Field(max_length=300)]
AuthorName = Annotated[str, AfterValidator(_printable), AfterValidator(_without_semicolon), Field(max_length=300)]
Paragraph = Annotated[str, AfterValidator(_printable), Field(max_length=2000)]
Address = Annotated[
    str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%!$&()*+,;=:@/?#-]*)?$", max_length=500)
]
Category = Literal["open", "reward-guided", "privileged"]


class Archive(Strict):
    """A file that is kept elsewhere."""

    address: Address = Field(description="Where it lies, beginning with `https://`.")
    sha256: Sha256 = Field(description="SHA-256 of the file.")
    bytes: AtLeastOne = Field(description="Its size.")


class Card(Strict):
    """What the authors of a generator say about it."""

    authors: tuple[AuthorName, ...] = Field(min_length=1, max_length=50, description="Names of the authors.")
    made_by: AuthorName = Field(description="Who made the images.")
    scored_by: AuthorName = Field(description="Who scored them, by running the task.")
    category: Category = Field(
        alias="class",
        description="`open`: it knows what `export` gives and public models. `reward-guided`: its images were optimised"
        " or chosen for the score of a model of taste that is no judge of the task. `privileged`: it knows a judge,"
        " held-out ratings or the ground truth.",
    )
    training_data: Paragraph = Field(description="What its models were trained on.")
    trained_on_items: bool = Field(description="Whether that data contain items of the task.")
    licence: Line = Field(description="Licence of the images, and of the code where it is public.")
    paper: Address | None = Field(default=None, exclude_if=absent, description="Address of a paper, if there is one.")
    code: Address | None = Field(default=None, exclude_if=absent, description="Address of the code, if it is public.")


class Submission(Card):
    """A generator that was handed in: its card, and where all of its images lie."""

    images: Archive | None = Field(
        default=None,
        exclude_if=absent,
        description="All images, where the bundle does not hold them; absent where it does, or may not.",
    )


class GeneratorRecord(Record):
    """`record.json` of a generator."""

    kind: Literal["generator"] = Field(description="`generator`.")
    generator: GeneratorInfo = Field(description="What generated the images.")
    images: Images = Field(description="Its images.")
    measures: Mapping[str, MeasureInfo] = Field(description="Measures, by name.")
    summary: Mapping[str, Summary] = Field(description="Means over users, by measure.")
    personal: Mapping[str, Personal] = Field(description="Personal lift, by scorer.")
    published_schemes: Mapping[str, PermutationTest] = Field(
        description="By scorer: labels shuffled over single images, as published. Rejects too often."
    )
    gap: Interval | None = Field(
        description="Verifier minus auditor; large where images please the verifier alone. Null without both."
    )
    excess: Mapping[str, Interval] = Field(
        default_factory=dict,
        exclude_if=empty,
        description="By measure: the primary scorer minus the confirming judge, over users; absent without one.",
    )
    fits: tuple[Fit, ...] = Field(
        description="Its fits; a single one where the seed changes nothing, or the images name no fit.", min_length=1
    )
    submission: Submission | None = Field(
        default=None, exclude_if=absent, description="What its authors say about it; absent where it is the task's own."
    )

    @property
    def results(self) -> GeneratorResults:
        return GeneratorResults(self.summary, self.personal, self.gap, self.excess)


class AnalysisRecord(Strict):
    """The declaration."""

    hash: Sha256 = Field(
        description="SHA-256 of id, version, seed, users, images, failures and analysis; it seeds the random streams."
    )
    frozen: bool = Field(description="Whether the task was written down before the first image and is unchanged since.")


class Data(Strict):
    """The data set."""

    title: str = Field(description="Title.")
    licence: str = Field(description="Licence.")
    redistribute: bool = Field(description="Whether its images may be republished.")
    fingerprint: Sha256 = Field(description="SHA-256 of the ratings and their split.")
    users: Count = Field(description="Users with ratings.")
    items: Count = Field(description="Items.")
    ratings: Count = Field(description="Ratings.")
    test_ratings: Count = Field(description="Held-out ratings.")
    equal_items: Count = Field(
        default=0, description="Items with the same pixels as one before them; absent if there are none."
    )
    blocks: Count = Field(description="Blocks, which share neither users nor items.")
    exact: Mapping[str, float] | None = Field(
        description="In a synthetic world, by measure: what sampling exactly what each user likes would reach."
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="What was left out of the data, and who is left without something by the split; absent if nothing.",
    )

    @model_serializer(mode="wrap")
    def _without_absent_fields(self, handler: SerializerFunctionWrapHandler) -> Mapping[str, JsonValue]:
        values: Mapping[str, JsonValue] = handler(self)
        return {name: value for name, value in values.items() if value or name not in ("notes", "equal_items")}


class Users(Strict):
    """The users that images were made for, in the order of all arrays."""

    id: tuple[str, ...] = Field(description="Their ids.")
    block: tuple[Count, ...] = Field(description="Block of each user.")
    stratum: tuple[Count, ...] = Field(description="Stratum of each user in the bootstrap.")


class RatedItem(Strict):
    """A training item and the rating that a user gave it."""

    item: Count = Field(description="Index of the item.")
    digest: Sha256 = Field(description="SHA-256 of its size and pixels.")
    rating: float = Field(description="On the data's scale.")


class ShownTaste(Strict):
    """Training items that one user liked and disliked."""

    user: str = Field(description="Id of the user.")
    liked: tuple[RatedItem, ...] = Field(description="Highest rating first.", max_length=6)
    disliked: tuple[RatedItem, ...] = Field(description="Lowest rating first.", max_length=3)

    @property
    def examples(self) -> tuple[RatedItem, ...]:
        return (*self.liked, *self.disliked)


class Taste(Strict):
    """How users rated in training; the site shows it beside the images of each user."""

    levels: tuple[str, ...] = Field(description="Ratings, or ranges of ratings, from low to high.")
    counts: tuple[tuple[Count, ...], ...] = Field(description="By user, then by level.")
    shown: tuple[ShownTaste, ...] = Field(
        description="The users of the galleries; items in `_task/images.parquet` where the data may be republished."
    )


class FailedGenerator(Strict):
    """A plug-in generator that failed in a child process and has no row."""

    id: Name = Field(description="Id in the spec.")
    title: str = Field(description="Title in the spec.")
    reason: str = Field(description="The error message.", max_length=600)


class TaskRecord(Record):
    """`_task/comparison.json`."""

    kind: Literal["task"] = Field(description="`task`.")
    spec: Spec = Field(description="The resolved task file.")
    analysis: AnalysisRecord = Field(description="The declaration.")
    address: Sha256 = Field(description="SHA-256 of all that the records depend on.")
    data: Data = Field(description="The data set.")
    users: Users = Field(description="The users that images were made for.")
    user_ids: tuple[str, ...] = Field(
        description="Ids of all users of the data set; `user` of `verifier.parquet` is a position in this list."
    )
    order: tuple[Name, ...] = Field(
        description="Generators with a row: those of the spec in its order, then those handed in by their id.",
        min_length=1,
    )
    submitted: tuple[GeneratorEntry, ...] = Field(
        default=(), exclude_if=empty, description="Generators that were handed in, by id; absent if there are none."
    )
    failed: tuple[FailedGenerator, ...] = Field(description="Generators without a row; only with `isolate`.")
    results: TaskResults = Field(description="Results of the comparison.")
    judges: Mapping[str, JudgeReport] = Field(
        description="Reports on judges, controls and others' mean, which docs/explanation/statistics.md explains."
    )
    taste: Taste = Field(description="How users rated in training.")
    records: Mapping[str, Mapping[str, Sha256]] = Field(description="SHA-256 of every file, by folder.")
    digest: Sha256 = Field(description="SHA-256 of everything else in this file.")

    @property
    def plan(self) -> Plan:
        return plan_of(self.spec, self.analysis.frozen)

    @property
    def groups(self) -> Ints:
        """Int [users]; users of one group judge each other's images."""
        block = np.array(self.users.block, np.int64)
        return block if self.spec.analysis.most_compared is None else self.plan.groups(block)

    @property
    def entries(self) -> Mapping[str, GeneratorEntry]:
        """Generators of the spec and those that were handed in, by id."""
        return {entry.id: entry for entry in (*self.spec.generators, *self.submitted)}


def plan_of(spec: Spec, frozen: bool) -> Plan:
    analysis = spec.analysis
    return Plan(
        name=spec.analysis_hash(),
        primary=analysis.primary.scorer,
        reference=analysis.reference,
        family=analysis.family,
        alpha=analysis.alpha,
        margin=analysis.equivalence_margin,
        permutations=analysis.permutations,
        bootstrap=analysis.bootstrap,
        interval=analysis.interval,
        failures=spec.failures,
        most_failures=analysis.most_failures,
        frozen=frozen,
        most_copies=analysis.most_copies,
        most_outside=analysis.most_outside,
        most_compared=analysis.most_compared,
        confirmation={} if analysis.confirmation is None else analysis.confirmation.model_dump(),
    )


def json_schema() -> Mapping[str, JsonValue]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "records of rebeca-bench",
        "generator": GeneratorRecord.model_json_schema(),
        "task": TaskRecord.model_json_schema(),
    }
