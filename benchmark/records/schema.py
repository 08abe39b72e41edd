"""The strict model of records: every field with its type, range and meaning.

What is written is checked against it, what is read is not looked at before. docs/records.md is made from it, and
``rebeca-bench schema --record`` prints its JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.records.types import Count, Finite, Methods, Name, P, Sha256, Share, Strict, Taste
from benchmark.stats.levels import VERDICTS

SCHEMA = 1
"""Raised whenever a field appears, goes or changes its meaning."""

LIFT = "lift:"
"""Prefix of the measure that holds a scorer's personal lift."""
MEANINGS = {
    "verifier": "the verifier",
    "auditor": "the auditor",
    "population": "control: the same pictures and ratings without people",
    "user mean": "control: how often this person likes anything",
    "users permuted": "control: the verifier asked as somebody else of the same block",
    "others' mean": "ceiling: mean held-out rating of the picture by all other people",
}
"""What each judge or control of the verifier's report is."""


class Ends(Strict):
    """Two ends of an interval."""

    low: Finite | None
    high: Finite | None


class IntervalRecord(Ends):
    """A mean over people with its 95 % interval."""

    estimate: Finite | None = Field(description="The mean; null where nobody has a value.")
    low: Finite | None = Field(description="Lower end; null where there is no interval.")
    high: Finite | None = Field(description="Upper end.")
    method: Methods = Field(
        description="How the ends were found; `exact` for constant values, `none` for too few people."
    )
    n: Count = Field(description="People.")
    skewness: Finite | None = Field(description="Of the values; null for constant values.")
    bootstrap_t: Ends | None = Field(description="Ends by the bootstrap-t, where the skewness exceeds 1 in size.")


class PermutationRecord(Strict):
    """A one-sided permutation test."""

    statistic: Finite = Field(description="Observed value.")
    null_mean: Finite = Field(description="Mean over permutations.")
    null_sd: Annotated[float, Field(ge=0)] = Field(description="Standard deviation over permutations.")
    at_least: Count = Field(description="Permutations whose value was at least the observed one (b).")
    permutations: Annotated[int, Field(ge=1)] = Field(description="Permutations (B).")
    p: P = Field(description="(b + 1) / (B + 1).")
    z: Finite | None = Field(description="(statistic - null_mean) / null_sd; null where the null does not vary.")


class PublishedScheme(PermutationRecord):
    """The published test, kept for reproduction."""

    note: str = Field(description="That it rejects too often.")


class TaskHeader(Strict):
    """Which task."""

    id: Name = Field(description="Id of the task.")
    version: Annotated[int, Field(ge=1)] = Field(description="Version of the task.")
    title: str = Field(description="Title.")
    hash: Sha256 = Field(description="SHA-256 of the resolved spec.")
    modified: bool = Field(description="Whether `--set`, `--only` or `--limit-users` changed it.")


class Card(Strict):
    """What the site says about a measure."""

    name: str = Field(description="Short heading.")
    unit: str = Field(description="Unit.")
    higher_is_better: bool = Field(description="Direction.")
    meaning: str = Field(description="One sentence.")
    reference: str = Field(description="Source of the measure.")
    role: Literal["", "verifier", "auditor", "prior", "observed", "ground-truth"] = Field(
        description="What part it plays on a leaderboard; most play none."
    )
    is_ground_truth: bool = Field(description="Whether it knows the truth of its world.")
    everyone: bool = Field(description="Whether everybody can be asked about every picture.")


class Summary(Strict):
    """One measure of one generator."""

    card: Card = Field(description="What the measure is.")
    interval: IntervalRecord = Field(description="Under the reading of failures that decides.")
    people: Count = Field(description="People with a value.")
    without: Count = Field(description="People without one.")
    exclude: Finite | None = Field(description="Mean when failures are left out.")
    worst: Finite | None = Field(description="Mean when a failure counts as the person's lowest score.")


class Personal(Strict):
    """Is it personal, by one scorer? Null where nobody can be compared."""

    estimable: Count = Field(description="People in a stratum of two or more with equally many pictures.")
    not_estimable: Count = Field(description="The others.")
    lift: IntervalRecord | None = Field(
        description="Personal lift; positive is better, whatever the scorer's direction."
    )
    median_double_centred: PermutationRecord | None = Field(description="The test that decides (T2).")
    mean: PermutationRecord | None = Field(description="The test on the mean of S[u, u] (T1).")
    own_set_beats: IntervalRecord | None = Field(description="Share of other people's sets that the own set beats.")
    reciprocal_rank: IntervalRecord | None = Field(description="One over the own set's rank.")
    exclude: Finite | None = Field(description="Mean lift when failures are left out.")
    worst: Finite | None = Field(description="Mean lift when a failure counts as each judge's lowest score.")
    published_scheme: PublishedScheme | None = Field(description="Labels shuffled over single pictures.")


class GeneratorInfo(Strict):
    """What made the pictures."""

    id: Name = Field(description="Id.")
    title: str = Field(description="Title.")
    use: str = Field(description="Registered name.")
    params: dict[str, Any] = Field(description="Parameters, every default spelled out.")
    decoder: dict[str, Any] = Field(description="Parameters of the decoder.")
    noise_group: Name = Field(description="Arms of one group share their noise.")
    offset: int = Field(description="Part of the seeds.")
    images: Count | None = Field(default=None, description="Images per user, where they differ from the task's.")
    family: str = Field(description="`rebeca`, `catalogue`, `prompt`, `control` or `external`.")
    needs: list[Literal["judge", "held-out", "ground-truth"]] = Field(description="What it was granted.")
    ranked: bool = Field(description="Whether it takes part in the ranks: exactly when it needs nothing.")
    claims_personal: bool = Field(description="Whether pictures are meant to differ between people.")


class Shown(Strict):
    """A picture that the record carries."""

    user: str = Field(description="For whom it was made.")
    replicate: Count = Field(description="Which of the person's pictures.")
    digest: Sha256 = Field(description="SHA-256 of its size and pixels; also the name of the file.")


class Pictures(Strict):
    """How many pictures, and which."""

    requested: Count = Field(description="Asked for.")
    valid: Count = Field(description="Without a failure.")
    failures: dict[str, Annotated[int, Field(ge=1)]] = Field(description="By name: `missing`, `blank`.")
    different: Count = Field(description="Different pictures.")
    from_catalogue: Count = Field(description="Taken from the catalogue.")
    copies: Count = Field(default=0, description="Made, yet equal to a catalogue picture in every pixel.")
    digest: Sha256 = Field(description="Of person, replicate and digest of all pictures, in order.")
    set_digest: Sha256 = Field(description="Of the sorted digests: equal for the same pictures in another order.")
    shown: list[Shown] = Field(description="Pictures in `pictures/`; none where the data may not be republished.")


class Fit(Strict):
    """What the fit says about itself."""

    key: Sha256 = Field(description="Address in the store.")
    report: dict[str, Any] = Field(description="Losses, chosen guidance.")


class Provenance(Strict):
    """Where the numbers come from."""

    project: str = Field(description="Version of this project.")
    git: dict[str, Any] | None = Field(description="`commit`, and `dirty` where files were changed.")
    python: str = Field(description="Version.")
    system: str = Field(description="System and machine.")
    processor: str | None = Field(default=None, description="Model, and the instructions used.")
    threads: int | None = Field(default=None, ge=1, description="Of torch.")
    packages: dict[str, str | None] = Field(description="Versions.")
    device: str = Field(description="Device, as its maker calls it.")
    dtype: str = Field(description="Of painters, scorers and encoders.")
    users_per_unit: Count = Field(description="People a unit of work.")
    weights: dict[str, str] = Field(
        default={},
        description="Published weights by name: name, `published` or `random`, and the start of their digest.",
    )
    batches: dict[str, list[Count]] = Field(
        default={},
        description="By generator: pictures decoded at once; several numbers where another device went on.",
    )
    encoders: dict[str, Any] = Field(description="By role: name and address of the embeddings.")
    judges: dict[str, Sha256] = Field(description="Addresses of the fitted judges.")
    seed: int = Field(description="The task's seed.")
    command: str = Field(description="Command line, without secrets and folders.")
    declared: str | None = Field(description="When the analysis was written down, in UTC.")
    added: list[str] = Field(default=[], description="Generators that were added after the first picture.")
    made: str = Field(description="When, in UTC.")
    seconds: dict[str, Annotated[float, Field(ge=0)]] = Field(description="Wall seconds of what this run made itself.")
    painted: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="By generator: pictures that this run made itself, in those seconds."
    )
    peak_memory_mb: Count | None = Field(description="Largest resident memory.")


class GeneratorRecord(Strict):
    """`record.json` of a generator."""

    schema_: Literal[1] = Field(alias="schema", description="Version of this schema.")
    kind: Literal["generator"] = Field(description="`generator`.")
    task: TaskHeader = Field(description="Which task.")
    generator: GeneratorInfo = Field(description="What made the pictures.")
    pictures: Pictures = Field(description="How many, and which.")
    summary: dict[str, Summary] = Field(description="By measure.")
    personal: dict[str, Personal] = Field(description="By scorer.")
    gap: IntervalRecord | None = Field(
        description="Verifier minus auditor; large where only the verifier is pleased. Null without both."
    )
    fit: Fit = Field(description="The fit.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class FlipsRecord(Strict):
    """A two-sided sign-flip test."""

    at_least: Count = Field(description="Flips whose |t| was at least the observed one (b).")
    flips: Annotated[int, Field(ge=1)] = Field(description="Flips (B).")
    enumerated: bool = Field(description="Whether these were all 2^U flips, the identity included.")
    p: P = Field(description="b / B when enumerated, otherwise (b + 1) / (B + 1).")
    p_max_t: P = Field(description="Adjusted over the family by step-down max-T.")
    p_holm: P = Field(description="Adjusted over the family by Holm.")


class ShareRecord(Strict):
    """A share of people with Wilson's interval; null without people."""

    share: Share | None
    low: Share | None
    high: Share | None


class ComparisonRecord(Strict):
    """One pair, A minus B."""

    a: Name = Field(description="A.")
    b: Name = Field(description="B.")
    difference: IntervalRecord = Field(description="Mean difference over the people that both have.")
    inner: Ends = Field(description="Its interval at 1 - 2 alpha, by which equivalence is decided.")
    effect: Finite | None = Field(description="Paired d_z; null for constant differences.")
    prefer: ShareRecord = Field(description="Share of people for whom A is better, ties one half.")
    beats: IntervalRecord | None = Field(description="Mean over people of P(picture of A beats picture of B).")
    detectable: Annotated[float, Field(ge=0)] | None = Field(description="Smallest difference found with 80 % power.")
    skewed: bool = Field(description="Whether the skewness of the differences exceeds 1 in size.")
    test: FlipsRecord | None = Field(description="Null below six people.")
    verdict: Literal[VERDICTS] = Field(description=", ".join(f"`{v}`" for v in VERDICTS) + ".")  # type: ignore[valid-type]


class RankRecord(Strict):
    """A generator's rank."""

    low: Annotated[int, Field(ge=1)] = Field(description="1 + generators significantly better.")
    high: Annotated[int, Field(ge=1)] = Field(description="Generators less those significantly worse.")
    group: Annotated[str, Field(pattern="^[a-z]*$")] = Field(
        description="Tie group; empty unless all pairs were tested."
    )
    probability_first: Share = Field(description="Share of bootstrap draws in which it is first.")
    order: Annotated[int, Field(ge=1)] = Field(description="Place by the mean.")


class FamilyRecord(Strict):
    """All comparisons of one measure."""

    declared: bool = Field(description="Whether it was decided on before the first picture; otherwise exploratory.")
    hash: Sha256 = Field(description="Of analysis, measure, generators and pairs: what adjusted p and ranks rest on.")
    generators: list[Name] = Field(description="Ranked generators that have the measure.")
    people: Count = Field(description="People that all of them have; ranks rest on these.")
    left_out: Count = Field(description="The others.")
    comparisons: list[ComparisonRecord] = Field(description="Pair by pair.")
    ranks: dict[Name, RankRecord] = Field(description="By generator.")


class Correlations(Strict):
    """Pearson's and Spearman's correlation."""

    pearson: IntervalRecord
    spearman: IntervalRecord


class AgreementRecord(Strict):
    """Two scorers on the same pictures."""

    a: str = Field(description="The primary scorer.")
    b: str = Field(description="The other.")
    pictures: Count = Field(description="Different pictures of different people that both score.")
    people: Count = Field(description="People.")
    without: Count = Field(description="People left out within user: fewer than three pictures, or constant scores.")
    within_user: Correlations = Field(description="Mean over people of their own correlation.")
    pooled: Correlations = Field(description="Over all pictures, interval over people.")


class Inversion(Strict):
    """Two generators that the board orders one way and the truth the other."""

    a: str = Field(description="Which the board puts first.")
    b: str = Field(description="Which the truth puts first.")
    judged: Finite = Field(description="A minus B by the primary scorer.")
    true: Finite = Field(description="A minus B by the truth.")
    audited: Finite | None = Field(description="A minus B by the auditor; negative where it sides with the truth.")


class ValidityRecord(Strict):
    """Does the board put generators in the truth's order?"""

    measure: str = Field(description="What the board orders by; `lift:` before a scorer means its personal lift.")
    truth: str = Field(description="The same by a scorer that knows the truth.")
    generators: list[str] = Field(description="Ranked generators that both measure.")
    people: Count = Field(description="People with a value for all of them.")
    tau: IntervalRecord = Field(
        description="Kendall's tau-a; its ends are the middle 95 % when people are drawn again, which lean low."
    )
    inversions: list[Inversion] = Field(description="Pairs in another order.")


class Caution(Strict):
    """Why a number may not keep its word."""

    kind: Literal["few-users", "unequal-pictures", "skewed-values", "skewed-differences"] = Field(description="Why.")
    measure: str | None = Field(default=None, description="Of which measure.")
    where: list[str] = Field(description="People, generators or pairs.")


class Results(Strict):
    """What the comparison of all generators says."""

    people: Count = Field(description="People that pictures were made for.")
    families: dict[str, FamilyRecord] = Field(
        description="By measure; `lift:` before a scorer means its personal lift."
    )
    agreement: list[AgreementRecord] = Field(description="The primary scorer beside the others.")
    validity: list[ValidityRecord] = Field(
        default_factory=list, description="The board's order beside the truth's, where a scorer knows the truth."
    )
    cautions: list[Caution] = Field(
        description="Few people, unequal numbers of pictures, skewed values or differences of what was declared."
    )


class Curve(Strict):
    """A ROC curve; empty where a label is missing."""

    false_positive: list[Share]
    true_positive: list[Share]


class CalibrationBin(Strict):
    """Ratings whose probability lies in one bin."""

    low: Share
    high: Share
    n: Count
    mean: Share = Field(description="Mean probability.")
    share: Share = Field(description="Share liked.")


class CalibrationRecord(Strict):
    """Do the probabilities mean what they say?"""

    bins: list[CalibrationBin] = Field(description="Ten of equal width, empty ones left out.")
    expected_error: Share = Field(description="Mean absolute gap, weighted by rows.")
    brier: Share = Field(description="Mean squared error.")


class TrainRecord(Strict):
    """The judge on its own training ratings."""

    rows: Count = Field(description="Ratings.")
    auc_pooled: Share | None = Field(description="AUC over all rows.")
    auc_within_user: IntervalRecord = Field(description="Mean AUC within user.")
    roc: Curve = Field(description="ROC curve.")


class CurvePoint(Strict):
    """One fit of the learning curve."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(description="Share of each person's training ratings.")
    auc_within_user: IntervalRecord = Field(description="On the same held-out ratings.")


class JudgeRecord(Strict):
    """A judge or control on the held-out ratings."""

    meaning: str = Field(description="What it is.")
    rows: Count = Field(description="Held-out ratings.")
    auc_within_user: IntervalRecord = Field(description="Mean over people with both labels.")
    auc_pooled: IntervalRecord = Field(description="Over all rows, people drawn.")
    roc: Curve = Field(description="ROC curve.")
    auc_pooled_rows_interval: Ends | None = Field(default=None, description="As published, rows drawn: too narrow.")
    calibration: CalibrationRecord | None = Field(default=None, description="Judges only.")
    train: TrainRecord | None = Field(default=None, description="Judges only: on their training ratings.")
    learning_curve: list[CurvePoint] | None = Field(default=None, description="Judges only.")
    verifier_gain: IntervalRecord | None = Field(
        default=None, description="Controls only: the verifier minus it, within user."
    )


class Data(Strict):
    """The data set."""

    title: str = Field(description="Title.")
    licence: str = Field(description="Licence.")
    redistribute: bool = Field(description="Whether pictures may be shown.")
    fingerprint: Sha256 = Field(description="Of ratings and their division.")
    people: Count = Field(description="People who rated.")
    pictures: Count = Field(description="Pictures of the catalogue.")
    ratings: Count = Field(description="Ratings.")
    test_ratings: Count = Field(description="Held-out ratings.")
    blocks: Count = Field(description="Blocks.")
    exact: dict[str, Finite] | None = Field(description="In a made world: what an exact sampler would reach.")


class Users(Strict):
    """The people that pictures were made for, in the order of all arrays."""

    id: list[str] = Field(description="Ids.")
    block: list[Count] = Field(description="Block of the data.")
    stratum: list[Count] = Field(description="Stratum of the bootstrap.")


class AnalysisRecord(Strict):
    """The declaration."""

    hash: Sha256 = Field(
        description="Of id, version, seed, users, images, failures and analysis; names the random streams."
    )
    frozen: bool = Field(description="Whether the task was written down before the first picture and stayed.")


class FailedGenerator(Strict):
    """A third-party generator that failed in its own process and has no row."""

    id: Name = Field(description="Its id in the spec.")
    title: str = Field(description="Its title.")
    reason: str = Field(description="What it did.", max_length=600)


class TaskRecord(Strict):
    """`_task/comparison.json`."""

    schema_: Literal[1] = Field(alias="schema", description="Version of this schema.")
    kind: Literal["task"] = Field(description="`task`.")
    task: TaskHeader = Field(description="Which task.")
    spec: dict[str, Any] = Field(description="The resolved task file.")
    analysis: AnalysisRecord = Field(description="The declaration.")
    address: Sha256 = Field(description="Changes whenever the records could.")
    data: Data = Field(description="The data set.")
    users: Users = Field(description="The people that pictures were made for.")
    user_ids: list[str] = Field(description="All people of the data set; row numbers of `verifier.parquet`.")
    order: list[Name] = Field(description="Generators with a row, as in the spec.")
    failed: list[FailedGenerator] = Field(
        default_factory=list, description="Generators without one; only with `isolate`."
    )
    results: Results = Field(description="What the comparison says.")
    judges: dict[str, JudgeRecord] = Field(description="Judges, controls, ceiling.")
    taste: Taste | None = Field(description="How people rated in training; null in records upgraded from schema 2.")
    provenance: Provenance = Field(description="Where the numbers come from.")
    records: dict[str, dict[str, Sha256]] = Field(description="SHA-256 of every file, by folder.")
    digest: Sha256 = Field(description="SHA-256 of everything else in this file.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of both kinds of records."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "records of rebeca-bench",
        "generator": GeneratorRecord.model_json_schema(),
        "task": TaskRecord.model_json_schema(),
    }
