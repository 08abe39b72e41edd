"""What a run computes again after a plug-in changed: exactly what depends on it, for each of the seven kinds.

Every kind is a distribution of its own here, so that it changes alone. A run is repeated after each change, and the
work folder is compared: an artefact that was computed lies in a new folder, one that was cached lies where it was.

What depends on what follows from what plug-ins are given. A fit sees ratings and embeddings. Images come from a fit,
from the decoder where the generator asks for it, and from the judge where the generator needs it. Scores read images,
and what the scorer needs. A judge sees its ratings and its encoder's embeddings.
"""

import json
import shutil
from itertools import product

import pytest

from benchmark.runner.store import MANIFEST
from benchmark.task.resolve import load_task
from tests.conftest import invoke
from tests.plugins.conftest import EXAMPLES, forget
from tests.running import find

KINDS = ("generator", "scorer", "set-scorer", "judge", "encoder", "decoder", "data-set")
"""In the order of the page's examples."""
CLASSES = {
    "generator": ("generators", "lucky", "Lucky"),
    "scorer": ("scorers", "brightness", "Brightness"),
    "set-scorer": ("scorers", "colours", "Colours"),
    "judge": ("judges", "nearness", "Nearness"),
    "encoder": ("encoders", "thumbnail", "Thumbnail"),
    "decoder": ("decoders", "stripes", "Stripes"),
    "data-set": ("datasets", "shades", "Shades"),
}
PARAMETERS = """

from {package}.helper import WORD


@dataclass(frozen=True)
class TaggedParams({base}.Params):
    tag: str = WORD


class Tagged({base}):
    Params = TaggedParams
"""
FIT_OF_NUMBER = """
    @classmethod
    def fit_parameters(cls, params):
        return frozenset({"number"})

    @classmethod
    def decodes_in(cls, params):
        return frozenset()
"""
PAINTER = """
import numpy as np

from rebeca import Generator
from rebeca.space import LinearSpace


class Painter(Generator):
    def fit(self, train):
        pass

    def save(self, folder):
        pass

    def load(self, folder):
        pass

    def generate(self, requests):
        points = [self.context.embeddings[request.seed % len(self.context.embeddings)] for request in requests]
        yield from self.context.decoder(LinearSpace()).decode(np.stack(points), requests)
"""
"""Beside the changed plug-ins stand two that never change: a generator that decodes, and a judge."""
BYSTANDER = "bystander"
PACKAGES = (*(f"plugin_{kind.replace('-', '_')}" for kind in KINDS), BYSTANDER)
TASK = """
schema: 1
id: kinds
version: 1
title: Seven kinds of plug-in
data: {kind: shades, like_at: 4, split: {kind: held-out-items, test: 0.34, validation: 0.25}}
judges:
  verifier: {use: nearness, encoder: "thumbnail:4"}
  auditor: {use: bystander, encoder: "fourier:8"}
  ratings: shared
  learning_curve: [0.5]
images: 2
encoder: "thumbnail:2"
decoder: {use: stripes}
generators:
  - {id: lucky, use: lucky}
  - {id: painter, use: painter}
  - {id: likely, use: catalogue, params: {rank_by: verifier}}
scorers: [ncf, ncf-prior, auditor, brightness, colours]
analysis: {reference: lucky, permutations: 199, bootstrap: 199}
"""
GENERATORS = ("lucky", "painter", "likely")
SCORERS = ("ncf", "ncf-prior", "auditor", "brightness", "colours")


def scores(generators=GENERATORS, scorers=SCORERS):
    return {f"scores {generator} {scorer}" for generator, scorer in product(generators, scorers)}


def images(*generators):
    """With everything that rests on them."""
    return {f"images {generator}" for generator in generators} | scores(generators)


def fits(*generators):
    """With everything that rests on them."""
    return {f"fit {generator}" for generator in generators} | images(*generators)


VERIFIER = {"judge verifier", "curve", "held-out"} | fits("likely") | scores(scorers=["ncf"])
"""The judge, its learning curve, its scores of held-out ratings, the generator that is given it, and its scores."""
PRIOR = {"judge prior"} | scores(scorers=["ncf-prior"])
"""The verifier, refitted in the space of the task's encoder."""
TASKS_ENCODER = {"embeddings task"} | PRIOR | fits(*GENERATORS)
"""Every generator is given the task's embeddings."""
VERIFIERS_ENCODER = {"embeddings verifier"} | VERIFIER
AUDITOR = {"embeddings auditor", "judge auditor"} | scores(scorers=["auditor"])
EVERYTHING = {"data"} | TASKS_ENCODER | VERIFIERS_ENCODER | AUDITOR
CODE = {
    "generator": fits("lucky"),
    "scorer": scores(scorers=["brightness"]),
    "set-scorer": scores(scorers=["colours"]),
    "judge": VERIFIER | PRIOR,
    "encoder": TASKS_ENCODER | VERIFIERS_ENCODER,
    "decoder": images("painter"),
    "data-set": EVERYTHING,
}
"""What depends on the code of a kind."""
PARAMS = [
    ("generator", "{id: lucky, use: lucky", ", params: {number: 8}", fits("lucky")),
    ("generator", "{id: lucky, use: lucky", ", params: {tag: other}", images("lucky")),  # no parameter of the fit
    ("scorer", "brightness", "{use: brightness, params: {tag: other}}", scores(scorers=["brightness"])),
    ("set-scorer", "colours", "{use: colours, params: {tag: other}}", scores(scorers=["colours"])),
    ("judge", "use: nearness", ", params: {tag: other}", VERIFIER | PRIOR),
    ("encoder", '"thumbnail:2"', '{use: "thumbnail:2", params: {tag: other}}', TASKS_ENCODER),
    ("encoder", '"thumbnail:4"', '{use: "thumbnail:4", params: {tag: other}}', VERIFIERS_ENCODER),
    ("decoder", "use: stripes", ", params: {tag: other}", images("painter")),
    ("decoder", "{id: painter, use: painter", ", decoder: {tag: other}", images("painter")),  # of one generator
    ("decoder", "{id: lucky, use: lucky", ", decoder: {tag: other}", set()),  # of one that does not decode
    ("data-set", "kind: shades", ", params: {tag: other}", EVERYTHING),
]
"""Kind, text of the task file, what follows it (or a mapping that replaces it), and what depends on the change."""


class Bench:
    """Packages, a task and a work folder."""

    def __init__(self, root):
        self.root, self.packages, self.task, self.work = root, root / "packages", root / "kinds.yaml", root / "work"

    def install(self):
        for (kind, (group, name, base)), code, package in zip(CLASSES.items(), EXAMPLES, PACKAGES, strict=False):
            code = f"from dataclasses import dataclass\n{code}{PARAMETERS.format(package=package, base=base)}"
            self._install(package, code + FIT_OF_NUMBER * (kind == "generator"), {group: f"{name} = {package}:Tagged"})
        code = PAINTER + EXAMPLES[KINDS.index("judge")]
        points = {"generators": f"painter = {BYSTANDER}:Painter", "judges": f"bystander = {BYSTANDER}:Nearness"}
        self._install(BYSTANDER, code, points)
        self.task.write_text(TASK)

    def _install(self, package, code, entry_points):
        (self.packages / package).mkdir(parents=True)
        (self.packages / package / "__init__.py").write_text(code)
        (self.packages / package / "helper.py").write_text('WORD = "none"\n')
        about = self.packages / f"{package}-1.0.dist-info"
        about.mkdir()
        points = "".join(f"[rebeca_bench.{group}]\n{point}\n" for group, point in entry_points.items())
        (about / "entry_points.txt").write_text(points)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")

    def change_helper(self, package):
        path = self.packages / package / "helper.py"
        path.write_text(path.read_text() + "\n\ndef unused():\n    pass\n")

    def change_version(self, package):
        about = self.packages / f"{package}-1.0.dist-info"
        path = about / "METADATA"
        path.write_text(path.read_text().replace("1.0", "1.1"))
        about.rename(about.with_name(f"{package}-1.1.dist-info"))

    def change_task(self, old, new):
        assert TASK.count(old) == 1
        self.task.write_text(TASK.replace(old, new if new.startswith("{") else old + new))

    def run(self):
        """Names of what was computed; everything else was taken from the work folder as it lay there."""
        forget(PACKAGES)
        before = self._artefacts()
        invoke("run", self.task, "--workdir", self.work, "--quiet")
        after = self._artefacts()
        assert before.items() <= after.items()
        return self._names(after.keys() - before.keys())

    def _artefacts(self):
        """Time and inode of every artefact's manifest, by stage and key."""
        stats = {path.parent: path.stat() for path in self.work.glob(f"*/*/*/{MANIFEST}")}
        return {(path.parts[-3], path.name): (stat.st_mtime_ns, stat.st_ino) for path, stat in stats.items()}

    def _names(self, artefacts):
        addresses = find(load_task(self.task), self.work)
        named = {"data": addresses.data.users, "held-out": addresses.held_out}
        named |= {f"embeddings {role}": each.embeddings for role, each in addresses.encoders.items()}
        named |= {f"judge {role}": each.fit for role, each in addresses.judges.items()}
        named |= {"curve": addresses.curve[0].fit}
        named |= {f"fit {name}": each.fits[0].address for name, each in addresses.generators.items()}
        named |= {f"images {name}": each.units[0].address for name, each in addresses.generators.items()}
        named |= {f"scores {name} {scorer}": each for (name, scorer), each in addresses.scores.items()}
        names = {(address.stage, address.key): name for name, address in named.items()}
        assert len(names) == len(named) and artefacts <= names.keys()
        return {names[each] for each in artefacts}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run of the seven kinds."""
    bench = Bench(tmp_path_factory.mktemp("kinds"))
    bench.install()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(bench.root / "cache"))
        patch.syspath_prepend(str(bench.packages))
        assert bench.run() == EVERYTHING
    forget(PACKAGES)
    return bench


@pytest.fixture
def bench(first, tmp_path, monkeypatch):
    """A copy of everything, ready to be changed."""
    copy = Bench(tmp_path / "copy")
    shutil.copytree(first.root, copy.root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(copy.root / "cache"))
    monkeypatch.syspath_prepend(str(copy.packages))
    yield copy
    forget(PACKAGES)


def test_nothing_where_nothing_changed(bench):
    assert bench.run() == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_helper_module(bench, kind):
    bench.change_helper(PACKAGES[KINDS.index(kind)])
    assert bench.run() == CODE[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_version(bench, kind):
    package = PACKAGES[KINDS.index(kind)]
    bench.change_version(package)
    assert bench.run() == CODE[kind]
    record = (bench.work / "records" / "kinds" / "v1" / "_task" / "comparison.json").read_text()
    versions = {plugin["distribution"]: plugin["version"] for plugin in json.loads(record)["provenance"]["plugins"]}
    assert versions == dict.fromkeys(PACKAGES, "1.0") | {package: "1.1"}


@pytest.mark.parametrize(("kind", "old", "new", "expected"), PARAMS)
def test_changed_parameters(bench, kind, old, new, expected):
    bench.change_task(old, new)
    assert bench.run() == expected


def test_there_are_parameters_of_every_kind():
    assert {kind for kind, *_ in PARAMS} == set(KINDS)
