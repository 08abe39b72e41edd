"""What a run would make, cost and detect."""

import json
import shutil

from tests.conftest import ROOT, invoke


def test_before_a_run_everything_is_to_do(tiny):
    plan = json.loads(invoke("plan", tiny, "--workdir", tiny.parent / "w", "--json"))
    assert (plan["users"], plan["images_per_user"], plan["fits"]) == (12, 3, 3)
    assert plan["images"] == 5 * 12 * 3 and plan["images_cached"] == 0
    assert plan["bytes"] is None and plan["smallest_p"] == 0.005
    output = invoke("plan", tiny, "--workdir", tiny.parent / "w")
    assert "A tiny task: 12 users, 3 images per user" in output
    assert "180 images (0 cached)\ntime and disk space are known once" in output
    assert "smallest p of a comparison: 0.005" in output


def test_after_a_run_everything_is_cached_and_a_pilot_tells_what_can_be_detected(done):
    output = invoke("plan", done / "tiny.yaml", "--workdir", done / "w")
    assert "180 images (180 cached)" in output and "to do" not in output
    assert "smallest detectable difference, ncf" in output and "80 % power" in output
    assert "two images of a set correlate at" in output.replace("\n", " ")


def test_few_users_are_described(done):
    output = invoke("plan", done / "tiny.yaml", "--workdir", done / "w", "--limit-users", 4)
    assert "under 6 users nothing is tested, only described" in output


def test_records_of_another_schema_are_no_pilot_and_hinder_no_plan(done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copy(done / "tiny.yaml", tmp_path)
    old = tmp_path / "w" / "records" / "tiny" / "v1" / "_task"
    old.mkdir(parents=True)
    (old / "comparison.json").write_text('{"schema": 2}')
    output = invoke("plan", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w")
    assert "note: earlier records are no pilot:" in output
    assert "for one in raw units run a pilot first" in output.replace("\n", " ")
    invoke("plan", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--pilot", old.parent, code=7)


def test_what_a_plan_says_about_cost_and_fits(tmp_path):
    """A published pilot knows the time, and here fits that differ no more than noise."""
    pilot = ROOT / "results" / "tinyworld-quick" / "v4"
    output = invoke("plan", ROOT / "tasks" / "tinyworld-quick.yaml", "--workdir", tmp_path, "--pilot", pilot)
    assert "\ndisk space is known once" in output
    assert "Fits differed no more here than users and images explain." in output.replace("\n", " ")
