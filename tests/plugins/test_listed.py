"""What ``doctor`` says of plug-ins."""

import json

import pytest

from benchmark.commands import doctor
from benchmark.task import registry
from rebeca.registered import registered
from tests.conftest import invoke
from tests.plugins.conftest import PACKAGE

OWN = {"generator": "lucky", "judge": "nearness", "encoder": "thumbnail", "decoder": "stripes", "data set": "shades"}


@pytest.fixture(autouse=True)
def without_tasks(monkeypatch):
    """What tasks need takes seconds to find out."""
    monkeypatch.setattr(doctor, "bundled_tasks", dict)


def listed():
    return json.loads(invoke("doctor", "--json"))["plugins"]


def test_every_plugin_is_listed_with_its_package_and_hash(plugins):
    rows = {(row["kind"], row["name"]): row for row in listed()}
    assert set(rows) == {(kind, name) for kind, group in registry.GROUPS.items() for name in registry.names(group)}
    for kind, name in OWN.items():
        known = registry.identity(kind, name)
        row = rows[kind, name]
        assert (row["package"], row["version"], row["hash"]) == (PACKAGE, "1.0", known.hash) and len(row["hash"]) == 64
    own = rows["generator", "rebeca"]
    assert (own["package"], own["hash"], own["problem"]) == ("rebeca-bench", "", "")


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_projects_own_are_a_block_and_others_a_table(plugins, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = invoke("doctor").splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert any(line.split() == ["decoder", "nearest-picture,", "stable-diffusion-ip-adapter"] for line in lines)
    start = lines.index("plug-ins of other packages")
    assert lines[start + 1].split() == ["name", "kind", "package", "hash"]
    hashes = {name: registry.identity(kind, name).hash[:12] for kind, name in OWN.items()}
    rows = {line.split()[0]: line for line in lines[start + 2 : start + 9]}
    assert {name: rows[name].split()[-1] for name in OWN.values()} == hashes
    assert f"{PACKAGE} 1.0" in rows["lucky"]


def test_without_others_there_is_no_table():
    assert "other packages" not in invoke("doctor")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("import numpy as np", "import numpy as np\nimport nothing_of_the_kind", "pip install nothing_of_the_kind"),
        ("import numpy as np", "import numpy as np\nraise OSError('no libgomp')", "failed: OSError: no libgomp"),
        ("import numpy as np", "import numpy as np\nraise SystemExit(3)", "failed: SystemExit: 3"),
        ("import numpy as np", "import numpy as np\n1 +", "failed: SyntaxError"),
        ("class Lucky(Generator", "class Unlucky(Generator", "is registered as my_plugins:Lucky, which does not exist"),
        ("class Lucky(Generator[LuckyParams])", "class Lucky", "not derived from rebeca.Generator"),
        ("    def fit(self, train): ...", "", "the class Lucky does not define fit"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_reason(plugins, old, new, reason):
    plugins.replace(old, new)
    problem = next(row["problem"] for row in listed() if row["name"] == "lucky")
    assert reason in problem
    output = invoke("doctor")
    assert "generator 'lucky'" in output and reason in output and "plug-in" in output.splitlines()[0]


def test_a_package_without_files_is_a_problem_as_well(plugins):
    (plugins.package / "__init__.py").unlink()
    (plugins.package / "helper.py").unlink()
    problems = {row["name"]: row["problem"] for row in listed()}
    assert "lucky" in problems["lucky"] and not problems["rebeca"]


@pytest.mark.parametrize("package", ["aaa", "zzz"])
def test_a_name_that_two_packages_register_is_told_and_the_first_is_used(plugins, package):
    """Whatever order the file system lists packages in, the first one by name is used, and the project's own always."""
    about = plugins.root / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    names = "\n".join(f"{name} = my_plugins:Lucky" for name in ("lucky", "rebeca"))
    (about / "entry_points.txt").write_text(f"[rebeca_bench.generators]\n{names}\n")
    registered.cache_clear()
    rows = {row["name"]: row for row in listed() if row["kind"] == "generator"}
    used, other = sorted([package, PACKAGE])
    assert (rows["lucky"]["package"], rows["lucky"]["others"]) == (used, [other])
    assert (rows["rebeca"]["package"], rows["rebeca"]["others"]) == ("rebeca-bench", [package])
    assert rows["folder"]["others"] == []
    line = f"generator 'lucky' is registered by {used}, which is used, and by {other}"
    assert line in " ".join(invoke("doctor").split())
