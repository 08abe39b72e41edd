"""Refuses task files whose parts do not go together, with file, line and remedy."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.stats.levels import smallest_p
from benchmark.task.declared import space
from benchmark.task.encoders import ResolvedEncoder, named_encoder
from benchmark.task.file import TaskFile
from benchmark.task.resolved import ResolvedGenerator, ResolvedScorer
from benchmark.task.yaml_source import Source, at
from rebeca.errors import SpecError, did_you_mean
from rebeca.interfaces import ScorerCard


def check_task_file(
    file: TaskFile, source: Source, generators: tuple[ResolvedGenerator, ...], scorers: tuple[ResolvedScorer, ...]
) -> None:
    ids = [generator.id for generator in generators]
    if file.analysis.reference not in ids:
        raise SpecError(
            f"{source.at(('analysis', 'reference'))}: no generator '{file.analysis.reference}'",
            hint=did_you_mean(file.analysis.reference, ids),
        )
    check_fits(file, source)
    _check_scorers(file, source, scorers)
    if smallest_p(31, file.analysis.permutations) > file.analysis.alpha:
        raise SpecError(
            f"{source.at(('analysis', 'permutations'))}: {file.analysis.permutations} permutations can never give"
            f" p <= {file.analysis.alpha}",
            hint=f"use at least {int(1 / file.analysis.alpha)}",
        )
    split = file.data.split
    if split.kind == "held-out-items" and not (split.test < 1 and split.validation < 1):
        raise SpecError(
            f"{source.at(('data', 'split'))}: with held-out-items test and validation are shares below 1,"
            f" found {split.test:g} and {split.validation:g}"
        )


def check_fits(file: TaskFile, source: Source) -> None:
    """Every fit must make the same number of each user's images."""
    own = [(("generators", index, "images"), spec.images) for index, spec in enumerate(file.generators)]
    for path, images in [(("images",), file.images), *own]:
        if images is not None and images % file.fits:
            raise SpecError(
                f"{source.at(path)}: {images} images per user cannot be shared equally among {file.fits} fits",
                hint=f"use a multiple of 'fits', e.g. {file.fits * max(1, round(images / file.fits))}",
            )


def check_space(file: TaskFile, encoder: ResolvedEncoder, generators: Sequence[ResolvedGenerator]) -> None:
    """Embeddings of another encoder may have the right length, and would be decoded without a word."""
    for generator in generators:
        flags = generator.flags()
        taken = space("decoder", file.decoder.use, generator.decoder)
        if taken and flags.decodes_in and flags.family != "prompt" and encoder.space != taken:
            raise SpecError(
                f"the task's encoder gives embeddings of '{encoder.space}', and the decoder of generator"
                f" '{generator.id}' takes those of '{taken}'",
                hint=f"use encoder: '{taken}'; for a file that it computed say so: encoder: {{use: 'precomputed:FILE',"
                f" params: {{space: '{taken}'}}}}",
            )


def _check_scorers(file: TaskFile, source: Source, scorers: tuple[ResolvedScorer, ...]) -> None:
    seen: set[str] = set()
    measures: dict[str, str] = {}
    for index, scorer in enumerate(scorers):
        where = source.at(("scorers", index))
        if scorer.id in seen:
            raise SpecError(
                f"{where}: the scorer '{scorer.id}' is given twice", hint="give one of them an 'id' of its own"
            )
        seen.add(scorer.id)
        flags = scorer.flags()
        for measure in flags.cards if flags.of_sets else (scorer.id,):
            if measure in measures:
                raise SpecError(f"{where}: '{scorer.id}' and '{measures[measure]}' both measure '{measure}'")
            measures[measure] = scorer.id
        if "auditor" in flags.needs and file.judges.auditor is None:
            raise SpecError(f"{where}: the scorer '{scorer.id}' needs judges.auditor")
        with at(source, "scorers", index, "params"):
            for name in flags.encoders:
                if named_encoder(name, source.path.parent).learns:
                    raise SpecError(f"the scorer '{scorer.id}' uses the encoder '{name}', which learns from items")
    primary = next((scorer for scorer in scorers if scorer.id == file.analysis.primary.scorer), None)
    where = source.at(("analysis", "primary"))
    if primary is None:
        raise SpecError(
            f"{where}: the primary scorer '{file.analysis.primary.scorer}' is not among the scorers",
            hint=did_you_mean(file.analysis.primary.scorer, seen),
        )
    flags = primary.flags()
    if flags.of_sets:
        raise SpecError(
            f"{where}: '{primary.id}' scores sets of images and cannot be the primary scorer",
            hint="use a scorer of single images, e.g. ncf",
        )
    _check_defences(file, source, scorers, flags.card)
    if not flags.card.higher_is_better:
        raise SpecError(
            f"{where}: lower is better for '{primary.id}', and the leaderboard puts the highest first",
            hint="let the scorer return its number with the opposite sign",
        )


def _check_defences(file: TaskFile, source: Source, scorers: tuple[ResolvedScorer, ...], primary: ScorerCard) -> None:
    """A confirming judge never ranks; its likes are compared with a judge's probabilities and with nothing else."""
    cards = [flags.card for flags in (scorer.flags() for scorer in scorers) if not flags.of_sets]
    if file.analysis.most_copies is not None and all(card.role != "copies" for card in cards):
        where = source.at(("analysis", "most_copies"))
        raise SpecError(f"{where}: no scorer looks for near-copies", hint="add 'near-copies' to the scorers")
    if file.analysis.most_outside is not None and all(card.role != "support" for card in cards):
        where = source.at(("analysis", "most_outside"))
        raise SpecError(f"{where}: no scorer knows the world's items", hint="add 'in-world' to the scorers")
    if primary.role == "confirming":
        raise SpecError(
            f"{source.at(('analysis', 'primary'))}: the confirming judge confirms and never ranks",
            hint="use a judge that is the same for all generators, e.g. ncf",
        )
    if file.analysis.confirmation is None:
        return
    where = source.at(("analysis", "confirmation"))
    if all(card.role != "confirming" for card in cards):
        raise SpecError(f"{where}: no scorer is a confirming judge", hint="add 'confirming' to the scorers")
    if primary.role != "verifier":
        raise SpecError(
            f"{where}: the primary scorer is no verifier, whose probabilities the confirming judge confirms",
            hint="make ncf the primary scorer, or leave confirmation out",
        )
