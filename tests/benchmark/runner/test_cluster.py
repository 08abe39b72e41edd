"""Ray: one queue for all pieces, tries, and the same records as without it."""

import json
import sys
from types import SimpleNamespace

import pytest

from benchmark.runner.cluster import TRIES, Answer, Dispatcher, Queue, require_ray
from benchmark.runner.reproduce import compare
from benchmark.runner.store import Address
from benchmark.runner.work import Piece
from rebeca.errors import SpecError, StoreError
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
    assert queue.take("x") is None


def test_a_piece_that_an_actor_is_not_given_stays_for_others():
    queue = Queue.of([piece(n, model="x") for n in "ab"], [address(n) for n in "ab"])
    assert queue.take("x", {address("a")}).title == "b"
    assert queue.take("x", {address("a")}) is None
    assert queue.take("", ()).title == "a"


def test_a_piece_that_always_fails_is_left_alone_and_so_is_what_needs_it():
    queue = Queue.of([piece("a"), piece("b", "a"), piece("c")], [address(n) for n in "abc"])
    tries = []
    while (taken := queue.take("")) is not None:
        tries.append(taken.title)
        queue.fail(taken, "broken") if taken.title == "a" else queue.finish(taken)
    assert tries.count("a") == TRIES and "b" not in tries and "c" in tries
    assert [(failed.title, why) for failed, why in queue.failed.items()] == [("a", "broken")]


class Failures:
    """The exceptions of ray that are told apart."""

    RayError = type("RayError", (Exception,), {})
    RayTaskError = type("RayTaskError", (RayError,), {"cause": ValueError("wrong")})
    RayActorError = type("RayActorError", (RayError,), {})
    ActorUnavailableError = type("ActorUnavailableError", (RayActorError,), {})


class FakeRay:
    """Answers are ready at once; an answer that is an exception is raised."""

    exceptions = Failures

    def __init__(self):
        self.waits = []

    def wait(self, answers, num_returns, timeout):
        """Waits for as many as are asked for, as ray does."""
        assert len(answers) == len(set(map(id, answers))) >= num_returns > 0
        ready = [answer for answer in answers if not answer.late]
        self.waits.append(timeout if len(ready) < num_returns else 0)
        for answer in answers:
            answer.late = max(0, answer.late - 1)
        return ready[:num_returns], []

    def get(self, answer):
        if isinstance(answer.value, Exception):
            raise answer.value
        return answer.value


class Remote:
    def __init__(self, call, late=0):
        self.remote = lambda *given: SimpleNamespaceById(value=call(*given), late=late)


class SimpleNamespaceById(SimpleNamespace):
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class FakeActor:
    """An actor whose pieces and starts end as scripted; what is not scripted ends well."""

    def __init__(self, pieces, starts=(), ends=None, late=0):
        self.made, self._starts, self._ends = [], list(starts), ends or {}
        self.ready = Remote(lambda: self._starts.pop(0) if self._starts else Answer())
        self.plan = Remote(lambda: (pieces, [piece.address for piece in pieces]))
        self.make = Remote(self._make, late)

    def _make(self, address):
        self.made.append(json.loads(address.inputs)["name"])
        ends = self._ends.get(self.made[-1], [])
        return ends.pop(0) if ends else Answer()


PIECES = [piece("a"), piece("b"), piece("c", "a")]


def dispatched(*actors, monkeypatch, ray=None):
    said = []
    monkeypatch.setattr("benchmark.runner.cluster.LONGEST_REST", 0.01)
    monkeypatch.setattr("benchmark.runner.cluster.LOOK", 0.01)
    queue = Dispatcher(ray or FakeRay(), actors, said.append, lambda done, total, note: None).run()
    return queue, said


def test_all_pieces_are_made_once(monkeypatch):
    actors = [FakeActor(PIECES) for _ in range(2)]
    queue, said = dispatched(*actors, monkeypatch=monkeypatch)
    assert sorted(name for actor in actors for name in actor.made) == ["a", "b", "c"]
    assert queue.done == queue.total == 3 and said == []


def test_nobody_waits_for_the_slowest_actor(monkeypatch):
    """An actor that is done is given the next piece while another is still busy."""
    pieces = [piece(name) for name in "abcdefgh"]
    fast, slow, ray = FakeActor(pieces), FakeActor(pieces, late=12), FakeRay()
    dispatched(fast, slow, monkeypatch=monkeypatch, ray=ray)
    assert (len(fast.made), len(slow.made)) in ((7, 1), (8, 0))
    assert not any(timeout > 0 for timeout in ray.waits[:8])


def test_a_piece_that_failed_is_tried_elsewhere_and_then_left_alone(monkeypatch):
    actors = [FakeActor(PIECES, ends={"a": [Answer("broken")] * 9}) for _ in range(2)]
    queue, said = dispatched(*actors, monkeypatch=monkeypatch)
    assert [sum(name == "a" for name in actor.made) for actor in actors] in ([1, 2], [2, 1])
    assert [failed.title for failed in queue.failed] == ["a"] and queue.done == 1  # b; c needs a
    assert said == [f"a: try {number} of 3 failed: broken" for number in (1, 2, 3)]


def test_a_store_that_fails_costs_no_piece_a_try(monkeypatch):
    actor = FakeActor(PIECES, ends={"a": [Answer("busy", True)] * 7})
    queue, said = dispatched(actor, monkeypatch=monkeypatch)
    assert queue.done == 3 and not queue.tries
    assert said == ["a has to wait: busy"] * 7


def test_dead_actors_stop_nobody_else(monkeypatch):
    dead = [FakeActor(PIECES, starts=[Failures.RayActorError("gone")]) for _ in range(3)]
    alive = FakeActor(PIECES)
    queue, said = dispatched(*dead, alive, monkeypatch=monkeypatch)
    assert queue.done == 3 and said == ["ray lost an actor: gone"] * 3


def test_an_actor_that_dies_at_a_piece_comes_back(monkeypatch):
    gone, soon = Failures.RayActorError("killed\nmore"), Failures.ActorUnavailableError("restarts")
    actor = FakeActor(PIECES, ends={"a": [gone]}, starts=[Answer(), soon, soon])
    queue, said = dispatched(actor, monkeypatch=monkeypatch)
    assert queue.done == 3 and said == ["a: try 1 of 3 failed: its actor was lost (killed)"]


def test_an_error_of_a_plugin_is_a_try(monkeypatch):
    actor = FakeActor(PIECES, ends={"b": [Failures.RayTaskError()]})
    queue, said = dispatched(actor, monkeypatch=monkeypatch)
    assert queue.done == 3 and said == ["b: try 1 of 3 failed: ValueError: wrong"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (Failures.RayActorError("no room"), "ray has no actor left: no room"),
        (Answer("no such data"), "an actor of ray cannot start: no such data"),
    ],
)
def test_without_any_actor_the_run_stops(start, message, monkeypatch):
    with pytest.raises(StoreError) as caught:
        dispatched(FakeActor(PIECES, starts=[start]), monkeypatch=monkeypatch)
    assert caught.value.message == message


def test_a_silence_ends(monkeypatch):
    monkeypatch.setattr("benchmark.runner.cluster.LONGEST_SILENCE", 0.3)
    soon = [Failures.ActorUnavailableError("restarts")] * 10_000
    with pytest.raises(StoreError, match="no actor of ray works: restarts"):
        dispatched(FakeActor(PIECES, starts=soon), monkeypatch=monkeypatch)


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
    assert compare(expected, tmp_path / "w" / "records" / "tiny" / "v1").bytes == []
    assert not list((tmp_path / "w" / "leases").iterdir())
