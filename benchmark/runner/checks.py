"""What can be checked of a task before the first fit, without reading any weights."""

from __future__ import annotations

from collections.abc import Collection

from benchmark.runner.addresses import plugins_of
from benchmark.runner.world import UNKNOWN, refuse_unknown
from benchmark.task.declared import notes_of, prompts_cut
from benchmark.task.paths import refuse_missing_files
from benchmark.task.registry import plugin_class
from benchmark.task.resolved import Task
from rebeca.errors import MissingDependency, SpecError
from rebeca.guards import guarded
from rebeca.params import shortened


def check_task(task: Task) -> list[str]:
    """Refuses a task that could only fail later, whatever its data are.

    Returns:
        Sentences about what works otherwise than it seems to, such as prompts that are cut.

    Raises:
        SpecError: Naming file, plug-in, values and remedy.
        MissingDependency: If a file does not exist that a parameter names, or something else is not on this machine.
    """
    for kind, use, params, label in plugins_of(task):
        plugin = plugin_class(kind, use)
        refuse_missing_files(params, f"{task.source}: {kind} '{label}'")
        with guarded(kind, label):
            try:
                plugin.check(params)
            except (SpecError, MissingDependency) as error:
                same = MissingDependency if isinstance(error, MissingDependency) else SpecError
                raise same(f"{task.source}: {kind} '{label}': {error.message}", hint=error.hint) from error
    decoder = plugin_class("decoder", task.file.decoder.use)
    for spec in task.generators:
        if plugin_class("generator", spec.use).needs_repeats(spec.params) and not decoder.repeats_with(spec.decoder):
            raise SpecError(
                f"{task.source}: generator '{spec.id}': best_of: the best of several could be the same item twice,"
                " and decoder.params.repeats is false",
                hint="set decoder.params.repeats: true, or best_of: 1",
            )
    return _notes(task)


def check_needs(task: Task, knows: Collection[str]) -> None:
    """Refuses scorers and generators that ask for what the data set does not know.

    Args:
        task: The task.
        knows: What its data know, see :attr:`benchmark.runner.world.World.knows`.

    Raises:
        SpecError: Naming file, plug-in and remedy.
    """
    plugins = [("scorer", entry.id, entry.flags().needs) for entry in task.scorers]
    plugins += [("generator", spec.id, spec.flags().needs) for spec in task.generators]
    for kind, label, needs in plugins:
        for need in sorted((needs & set(UNKNOWN)) - set(knows)):
            refuse_unknown(need, f"{task.source}: {kind} '{label}': ")


def _notes(task: Task) -> list[str]:
    use = task.file.decoder.use
    decoding = [spec for spec in task.generators if spec.flags().decodes_in]
    cut = {spec.id: prompts_cut(spec.use, spec.params, use, spec.decoder) for spec in decoding}
    said: dict[str, list[str]] = {}
    for spec in task.generators:
        for note in notes_of(spec.use, spec.params):
            said.setdefault(note, []).append(spec.id)
    notes = [f"{', '.join(ids)}: {note}" for note, ids in said.items()]
    notes += [
        f"{name}: the text encoder does not read the end of {len(texts)} of its prompts, the first is"
        f" {shortened(texts[0])}"
        for name, texts in cut.items()
        if texts
    ]
    unknown = [name for name, texts in cut.items() if texts is None]
    if unknown:
        notes.append(
            f"{', '.join(unknown)}: whether the text encoder reads all of the prompts was not checked, because its"
            " tokenizer is not on this machine"
        )
    return notes
