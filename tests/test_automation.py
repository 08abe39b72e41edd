"""Workflows and make targets: well formed, and what they call exists."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib

import pytest
import yaml

from benchmark.records.attestation import PREDICATE, Digest, Statement, Subject, Verified
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)) | {".venv/.ready"}


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"]


def commands(job):
    """Every line that a job runs, those of its matrix in place of the expression."""
    listed = job.get("strategy", {}).get("matrix", {}).get("job", [])
    for step in job["steps"]:
        if "run" in step:
            yield from listed if step["run"] == "${{ matrix.job }}" else [step["run"]]


def make_targets(command):
    words = shlex.split(command.replace("&&", " && "))
    for place, word in enumerate(words):
        if word == "make":
            for target in words[place + 1 :]:
                if target == "&&":
                    break
                yield target


def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} == {
        *("attest", "ci", "comment", "nightly", "pages", "release", "submission")
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_whole(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["name"] == path.stem
    assert workflow[True]  # YAML 1.1 reads the key "on" so
    assert workflow["permissions"]["contents"] == "read"
    for name, job in workflow["jobs"].items():
        assert {"runs-on", "timeout-minutes", "steps"} <= job.keys(), name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name
        assert all("@" in step["uses"] for step in job["steps"] if "uses" in step), name
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= workflow["jobs"].keys(), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_exists(path):
    for job in jobs(path).values():
        for command in commands(job):
            assert set(make_targets(command)) <= TARGETS, command
            for name in re.findall(r"(?:tests|scripts|\.ci)/[\w./-]+", command):
                assert (ROOT / name).exists(), command


def test_ci_calls_make_targets_and_ends_with_the_tests():
    lines = [line.partition("#")[0].strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    targets = [line.removeprefix("make ") for line in lines if line.startswith("make ")]
    assert set(targets) <= TARGETS
    assert targets == ["lint", "types", "packages", "docs", "test-all"]
    assert lines[-1] == "make test-all"


@pytest.mark.parametrize(("workflow", "job"), [("release", "publish"), ("attest", "sign")])
def test_only_one_job_may_identify_itself(workflow, job):
    found = jobs(ROOT / ".github" / "workflows" / f"{workflow}.yml")
    assert [name for name, own in found.items() if "id-token" in own.get("permissions", {})] == [job]
    assert all("run" not in step for step in found[job]["steps"])


def test_the_signed_predicate_is_that_of_the_statements():
    *_, sign = jobs(ROOT / ".github" / "workflows" / "attest.yml")["sign"]["steps"]
    assert sign["with"]["predicate-type"] == PREDICATE
    assert not {"subject-path", "subject-digest"} & sign["with"].keys(), "exactly one kind of subject is allowed"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_signing_workflow_finds_the_subjects_and_predicates(tmp_path):
    statement = Statement(
        subject=(Subject(name="rebeca/record.json", digest=Digest(sha256="0" * 64)),), predicate=Verified(numbers=3)
    )
    (tmp_path / "records" / "attestations").mkdir(parents=True)
    for row in ("rebeca", "rebeca-no-user"):
        (tmp_path / "records" / "attestations" / f"{row}.json").write_bytes(statement.to_bytes())
    step = next(step for step in jobs(ROOT / ".github" / "workflows" / "attest.yml")["verify"]["steps"] if "id" in step)
    variables = {**os.environ, "RECORDS": "records", "GITHUB_OUTPUT": str(tmp_path / "output")}
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=variables, check=True)
    name, _, rows = (tmp_path / "output").read_text().partition("=")
    assert (name, sorted(json.loads(rows))) == ("rows", ["rebeca", "rebeca-no-user"])
    assert (tmp_path / "signed" / "rebeca.sha256").read_text() == f"{'0' * 64}  rebeca/record.json\n"
    assert json.loads((tmp_path / "signed" / "rebeca.json").read_text())["numbers"] == 3


def test_nothing_needs_a_secret():
    assert not any("secrets." in path.read_text() for path in WORKFLOWS)


def test_what_is_handed_in_meets_no_secret():
    """The job that reads a bundle may write nothing; the one that posts reads only a text."""
    submission, comment = (
        yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        for name in ("submission", "comment")
    )
    assert submission["permissions"] == {"contents": "read"} and set(submission[True]) == {"pull_request"}
    assert not any("permissions" in job for job in (*submission["jobs"].values(), *comment["jobs"].values()))
    assert set(comment[True]) == {"workflow_run"} and comment[True]["workflow_run"]["workflows"] == ["submission"]
    steps = submission["jobs"]["check"]["steps"]
    checkouts = [step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout")]
    assert checkouts[0]["ref"] == "${{ github.event.pull_request.base.sha }}" and "path" not in checkouts[0]
    assert checkouts[1]["path"] == "handed-in" and not any(each["persist-credentials"] for each in checkouts)
    assert not any("handed-in/" in step.get("run", "") or "${{" in step.get("run", "") for step in steps)
    assert not any("ref" in step.get("with", {}) for step in comment["jobs"]["post"]["steps"])
    assert not any("pull_request_target" in path.read_text() for path in WORKFLOWS)


def test_every_dependency_is_pinned_in_the_constraints():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = [re.split("==", line)[0] for line in (ROOT / "constraints.txt").read_text().splitlines()]
    known = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    extras = project["optional-dependencies"]
    own = f"{project['name']}[docs]"
    listed = [
        *project["dependencies"],
        *(name for extra in ("offline", "dev", "docs", "lora") for name in extras[extra]),
    ]
    for requirement in (requirement for requirement in listed if requirement != own):
        name = re.match(r"[\w.-]+", requirement)[0]
        assert re.sub(r"[-_.]+", "-", name).lower() in known, requirement


def test_every_bound_has_its_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("\ndependencies = [") : text.index("[project.optional-dependencies]")]
    for line in block.splitlines():
        if line.strip().startswith('"'):
            assert "# " in line, line
