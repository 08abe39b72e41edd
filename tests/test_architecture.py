"""Who may import whom, what importing costs, and that no stage changes unnoticed."""

import ast
import json
import subprocess
import sys

import pytest

from benchmark.runner.store import STAGE_VERSIONS
from tests import import_graph
from tests.conftest import ROOT
from tests.import_graph import all_imports, graph, modules, reachable

# ---------------------------------------------------------------------------------------------------------- packages

ALLOWED = {"rebeca": {"rebeca"}, "baselines": {"rebeca", "baselines"}, "benchmark": {"rebeca", "benchmark"}}
REACHED_BY_NAME_ONLY = (
    "rebeca.generator",
    "rebeca.worlds",
    "rebeca.decoders",
    "rebeca.train_prior",
    "rebeca.prior",
    "rebeca.taste",
)


def top(name):
    return name.partition(".")[0]


def inside(name, package):
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_go_one_way(package):
    for module, names in all_imports().items():
        for name in names if top(module) == package else ():
            assert top(name) not in set(ALLOWED) - ALLOWED[package], f"{module} imports {name}"


def test_no_module_imports_tests_or_scripts():
    for module, names in all_imports().items():
        assert not {"tests", "scripts"} & {top(name) for name in names}, module


def test_the_harness_reaches_generators_through_the_registry_only():
    for module, names in all_imports().items():
        for name in names if top(module) == "benchmark" else ():
            assert not any(inside(name, package) for package in REACHED_BY_NAME_ONLY), f"{module} imports {name}"


def test_statistics_know_numpy_and_scipy_only():
    for module, names in all_imports().items():
        for name in names if inside(module, "benchmark.stats") else ():
            own = inside(name, "benchmark.stats") or name in {"rebeca.arrays", "rebeca.ties"}  # types and comparisons
            known = own or top(name) in {"numpy", "scipy", *sys.stdlib_module_names}
            assert known, f"{module} imports {name}"


# ------------------------------------------------------------------------------------------------- layers and cycles

LAYERS = (
    {"commands"},
    {"dev", "stress", "submissions", "study"},
    {"results"},
    {"site"},
    {"figures"},
    {"board"},
    {"planning"},
    {"runner"},
    {"records"},
    {"scorers"},
    {"analysis", "task"},
    {"stats", "disk"},
)
"""Packages of ``benchmark``, top first. Each imports only itself and the layers below it."""

UPWARD_IMPORTS: set[tuple[str, str]] = set()
"""Imports against the layers that are still to be removed. Remove a line with its import; add none."""

CYCLES: set[frozenset[str]] = set()
"""Modules that import one another and are still to be parted. Remove a line with its cycle; add none."""


def layer(module):
    part = module.split(".")[1]
    for number, packages in enumerate(LAYERS):
        if part in packages:
            return number
    raise AssertionError(f"{module}: benchmark/{part} stands on no layer; put it into a package or name its layer")


def upward_imports():
    """Imports of another package on the same layer or above; those for types and inside functions count, too."""
    parts = {name: arrows for name, arrows in graph().items() if name.startswith("benchmark.")}
    return {
        (module, name)
        for module, names in parts.items()
        for name in names
        if name.startswith("benchmark.") and module.split(".")[1] != name.split(".")[1] and layer(name) <= layer(module)
    }


def test_packages_import_only_lower_layers():
    assert upward_imports() - UPWARD_IMPORTS == set()


def test_every_module_stands_on_a_layer():
    for module in modules():
        if module.startswith("benchmark."):
            layer(module)


def test_modules_do_not_import_one_another():
    assert import_graph.cycles(graph()) - CYCLES == set()


def test_removed_violations_leave_the_lists():
    assert UPWARD_IMPORTS - upward_imports() == set(), "these are gone: remove their lines from UPWARD_IMPORTS"
    assert CYCLES - import_graph.cycles(graph()) == set(), "these are gone: remove their lines from CYCLES"


def test_imports_are_found_wherever_they_stand():
    source = """
import benchmark.disk
from benchmark.records import files, schema as s
from benchmark.records.files import read
if TYPE_CHECKING:
    from benchmark.board import board
else:
    import benchmark.stats.ranks
def late():
    with open("x"):
        import benchmark.site.build as build
"""
    known = {"benchmark.records.files", "benchmark.records.schema", "benchmark.board.board"}
    always = {
        "benchmark.disk",
        "benchmark.records.files",
        "benchmark.records.schema",
        "benchmark.stats.ranks",
        "benchmark.site.build",
    }
    tree = ast.parse(source)
    assert set(import_graph.imported_names(tree, known, typing=True)) == always | {"benchmark.board.board"}
    assert set(import_graph.imported_names(tree, known, typing=False)) == always


def test_cycles_are_found():
    arrows = {"a": "b", "b": "c", "c": "b", "d": "d", "e": "a"}
    cycles = import_graph.cycles({name: frozenset(targets) for name, targets in arrows.items()})
    assert cycles == {frozenset("bc"), frozenset("d")}


# ----------------------------------------------------------------------------------------------------------- sorting

SORTS = {"sort", "argsort", "sort_values"}
UNSTABLE = {"argpartition", "topk", "nlargest", "nsmallest"}


def keyword(call, name):
    return next((k.value.value for k in call.keywords if k.arg == name and isinstance(k.value, ast.Constant)), None)


def unstable(tree):
    """Lines of sorts that leave the order of ties to the processor: lists sort stably, arrays, tables and tensors do
    so only when asked. A list is known by its key."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_a_list = node.func.attr == "sort" and any(k.arg == "key" for k in node.keywords)
        asked = keyword(node, "kind") == "stable" or keyword(node, "stable") is True
        if node.func.attr in UNSTABLE or (node.func.attr in SORTS and not of_a_list and not asked):
            yield node.lineno


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("np.argsort(x)", [1]),
        ("np.sort(x, axis=1)", [1]),
        ("x.sort()", [1]),
        ("scores.topk(3)", [1]),
        ("table.sort_values('a')", [1]),
        ("np.argsort(x, kind='quicksort')", [1]),
        ("np.argsort(x, kind='stable')", []),
        ("x.argsort(stable=True)", []),
        ("rows.sort(key=len)", []),
    ],
)
def test_unstable_sorts_are_seen(code, lines):
    assert list(unstable(ast.parse(code))) == lines


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_no_order_rests_on_an_unstable_sort(package):
    """Which of two equal numbers comes first differs between processors' vector units."""
    paths = sorted((ROOT / package).rglob("*.py"))
    places = [f"{path}:{line}" for path in paths for line in unstable(ast.parse(path.read_text()))]
    assert places == []


# ------------------------------------------------------------------------------------------------------ cost and size


HEAVY = ("torch", "transformers", "diffusers", "pandas")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("rebeca", (*HEAVY, "numpy")),
        ("rebeca.interfaces", HEAVY),
        ("rebeca.scorers", HEAVY),
        ("benchmark", (*HEAVY, "numpy")),
        ("benchmark.task.resolve", HEAVY),
        ("benchmark.commands.main", (*HEAVY, "numpy", "pydantic")),  # whoever presses Tab in a shell waits for it
        ("benchmark.commands.show", HEAVY),
        ("benchmark.commands.plan", HEAVY),
        ("rebeca.generator", HEAVY),
    ],
)
def test_cheap_imports(module, heavy):
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_plugins_say_beforehand_needs_no_torch():
    """Of every task that is bundled: cards, needs, fingerprints of shipped weights; nothing is built."""
    code = """
import sys
from benchmark.task.bundled import folder
from benchmark.task.registry import plugin_class
from benchmark.task.resolve import load_task
for path in sorted(folder("tasks").glob("*.yaml")):
    task = load_task(path)
    [spec.flags() for spec in (*task.generators, *task.scorers)]
    if "tinyworld" in path.stem or "sprites" in path.stem:
        [encoder.address() for encoder in (task.encoder, *(judge.encoder for judge in task.judges.values()))]
        [plugin_class("scorer", scorer.use).fingerprint(scorer.params) for scorer in task.scorers]
        decoder = plugin_class("decoder", task.file.decoder.use)
        [decoder.fingerprint(spec.decoder) for spec in task.generators]
print([m for m in ("torch", "transformers", "diffusers", "pandas") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_readable():
    for path in modules().values():
        assert len(path.read_text().splitlines()) <= 480, path
        assert path.stem != "utils"


# ------------------------------------------------------------------------------------------------------------- stages

ENTRY_MODULES = {
    "data": ("benchmark.runner.world", "rebeca.data.sources"),
    "embeddings": (
        "benchmark.runner.embed",
        "rebeca.encoders.autoencoder",
        "rebeca.encoders.clip",
        "rebeca.encoders.efficientnet",
        "rebeca.encoders.precomputed",
        "rebeca.encoders.published",
        "rebeca.encoders.simple",
    ),
    "judge": ("benchmark.runner.materials", "rebeca.ncf.judge"),
    "fit": (
        "benchmark.runner.fits",
        "baselines.adversaries.choosing",
        "baselines.adversaries.contentless",
        "baselines.adversaries.digests",
        "baselines.adversaries.gradient",
        "baselines.adversaries.near_copy",
        "baselines.catalogue",
        "baselines.folder",
        "baselines.prompts",
        "rebeca.generator",
    ),
    "images": (
        "benchmark.runner.decode",
        "rebeca.decoders.nearest",
        "rebeca.decoders.stable_diffusion",
    ),
    "scores": (
        "benchmark.runner.scoring",
        "benchmark.scorers.confirming",
        "benchmark.scorers.coverage",
        "benchmark.scorers.hpsv2",
        "benchmark.scorers.judges",
        "benchmark.scorers.laion",
        "benchmark.scorers.near_copies",
        "benchmark.scorers.observed",
        "benchmark.scorers.realism",
        "benchmark.scorers.script",
    ),
    "held-out": ("benchmark.runner.held_out_scores",),
    "records": ("benchmark.analysis.analyse", "benchmark.runner.write_records"),
}
"""What computes each stage: where the harness enters it, and the plug-ins that it loads by name."""

DECIDES_NOTHING = {
    "benchmark.runner.addresses": "names results by what they depend on",
    "benchmark.runner.freeze": "whether a comparison was declared, which the address of records holds",
    "benchmark.runner.progress": "says how far the run is",
    "benchmark.runner.store": "keeps results and takes them from the store",
    "benchmark.task.registry": "finds classes by their names",
    "benchmark.task.resolve": "reads parameters, which addresses hold",
    "benchmark.task.yaml_source": "finds the line of a mistake",
    "rebeca.errors": "messages and exit codes",
    "rebeca.hashes": "names files by their contents, and says where the cache lies",
    "rebeca.spans": "says where the time goes",
}
"""Modules that no result depends on, with the reason."""


def modules_of(stage):
    """The stage's entry modules and all that they import when they run; what decides nothing is not followed."""
    unknown = set(ENTRY_MODULES[stage]) - modules().keys()
    assert not unknown, f"ENTRY_MODULES names modules that are gone: {sorted(unknown)}"
    arrows = {name: names - DECIDES_NOTHING.keys() for name, names in graph(typing=False).items()}
    return reachable(ENTRY_MODULES[stage], arrows)


def fingerprints():
    """Versions of the stages, and the fingerprint of every module that belongs to one."""
    names = set().union(*(modules_of(stage) for stage in ENTRY_MODULES))
    return {
        "versions": dict(sorted(STAGE_VERSIONS.items())),
        "modules": {name: import_graph.fingerprint(name) for name in sorted(names)},
    }


def test_every_stage_has_entry_modules():
    assert set(ENTRY_MODULES) == set(STAGE_VERSIONS)
    assert DECIDES_NOTHING.keys() <= modules().keys()


def test_a_stage_holds_all_that_its_entry_modules_import():
    assert "rebeca.prior.network" in modules_of("fit")  # through generator, prior and training
    assert "rebeca.seeds" in modules_of("images")
    assert "benchmark.stats.ranks" in modules_of("records")
    assert not any(inside(name, "benchmark.commands") for stage in ENTRY_MODULES for name in modules_of(stage))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="syntax trees are written down for Python 3.11")
def test_no_stage_changes_unnoticed():
    """When this fails: raise the versions of these stages in benchmark/runner/store.py if their results could
    change, then write the new fingerprints with ``python -m tests.test_architecture``."""
    known = json.loads(FINGERPRINTS.read_text())
    now = fingerprints()
    old, new = known["modules"], now["modules"]
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    stages = {stage: sorted(changed & modules_of(stage)) for stage in ENTRY_MODULES}
    assert not changed, {stage: names for stage, names in stages.items() if names} or sorted(changed)
    assert known["versions"] == now["versions"]


FINGERPRINTS = ROOT / "tests" / "stages.json"

if __name__ == "__main__":
    FINGERPRINTS.write_text(json.dumps(fingerprints(), indent=1) + "\n")
