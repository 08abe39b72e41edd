"""What a run would make, cost and detect."""

import json

from tests.conftest import invoke


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
