"""Ray: one queue for all pieces, tries, and the same records as without it."""

import sys

import pytest

from benchmark.runner.cluster import TRIES, Queue, require_ray
from benchmark.runner.store import Address
from benchmark.runner.work import Piece
from rebeca.errors import SpecError
from scripts.scale.equal_records import contents
from tests.benchmark.runner.test_work import whole  # noqa: F401
from tests.conftest import invoke


def piece(name, *needs, model=""):
    return Piece("fits", name, address(name), tuple(map(address, needs)), model)


def address(name):
    return Address.of("fit", name=name)


def test_a_piece_waits_for_what_it_needs_and_lacks():
    pieces = [piece("a"), piece("b", "a", "there"), piece("c", "b"), piece("there")]
    queue = Queue.of(pieces, [address(name) for name in "abc"])
    assert queue.total == 3
    order = []
    while (taken := queue.take("")) is not None:
        order.append(taken.title)
        assert queue.take("") is None
        queue.finish(taken)
    assert order == ["a", "b", "c"] and queue.done == 3


def test_an_actor_goes_on_with_what_it_has_loaded():
    queue = Queue.of([piece(n, model=m) for n, m in ("ax", "by", "cx")], [address(n) for n in "abc"])
    assert [queue.take("y").title, queue.take("y").title, queue.take("x").title] == ["b", "a", "c"]


def test_a_piece_that_always_fails_is_left_alone_and_so_is_what_needs_it():
    queue = Queue.of([piece("a"), piece("b", "a"), piece("c")], [address(n) for n in "abc"])
    tries = []
    while (taken := queue.take("")) is not None:
        tries.append(taken.title)
        queue.fail(taken, "broken") if taken.title == "a" else queue.finish(taken)
    assert tries.count("a") == TRIES and "b" not in tries and "c" in tries
    assert [(failed.title, why) for failed, why in queue.failed.items()] == [("a", "broken")]


def test_without_ray_its_extra_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError, match="the package ray is not installed") as caught:
        require_ray()
    assert "rebeca-bench[ray]" in caught.value.hint
    output = invoke("run", tiny, "--workdir", tmp_path / "w", "--executor", "ray", code=2)
    assert "rebeca-bench[ray]" in output and not (tmp_path / "w").exists()


needs_ray = pytest.mark.skipif(sys.platform != "linux", reason="clusters of one machine are tried on Linux")


@pytest.fixture
def two_nodes(monkeypatch):
    """The address of a cluster of two nodes with a processor each."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.mark.slow
@needs_ray
def test_two_nodes_give_the_same_records(whole, tmp_path, two_nodes):  # noqa: F811
    task, expected = whole
    options = ("--executor", "ray", "--address", two_nodes, "--workdir", tmp_path / "w")
    output = invoke("run", task.source, *options)
    assert "work of 2 actors" in output
    assert contents(tmp_path / "w" / "records" / "tiny" / "v1") == expected
    assert not list((tmp_path / "w" / "leases").iterdir())
