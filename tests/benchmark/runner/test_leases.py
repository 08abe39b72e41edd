"""Leases: one holder at a time, an end that comes by itself, and processes that die."""

import json
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.runner.leases import Leases
from benchmark.runner.places import Folder
from tests.benchmark.commands.test_status import Clock

HOUR = 3600.0


@pytest.fixture
def clock():
    return Clock()


def test_one_at_a_time(place, clock):
    mine, other = (Leases(place, HOUR, clock) for _ in range(2))
    with mine.claimed("fit-1") as held:
        assert held
        with other.claimed("fit-1") as also, other.claimed("fit-2") as another:
            assert not also and another
        assert mine.holder("fit-1").startswith(f"process {os.getpid()} of ")
    assert mine.holder("fit-1") is None
    with other.claimed("fit-1") as held:
        assert held


def test_a_lease_ends_unless_it_is_renewed(place, clock):
    mine, other = (Leases(place, HOUR, clock) for _ in range(2))
    with mine.claimed("a"):
        clock.now += HOUR - 1
        with other.claimed("a") as held:
            assert not held
        mine._renew_one("a")
        clock.now += HOUR - 1
        with other.claimed("a") as held:
            assert not held
        clock.now += 2
        with other.claimed("a") as held:
            assert held
            mine._renew_one("a")  # it is no longer its own
            assert other.holder("a") is not None
    assert other.holder("a") is None


def test_the_thread_renews(tmp_path):
    leases = Leases(Folder(tmp_path), 0.4)
    with leases.claimed("a"):
        first = (tmp_path / "leases" / "a.json").read_bytes()
        time.sleep(1.0)
        assert Leases(Folder(tmp_path), 0.4).holder("a") is not None
        assert (tmp_path / "leases" / "a.json").read_bytes() != first


LEASE = {"machine": "elsewhere-7", "process": 7, "until": 2e9, "claim": "x"}
DAMAGED = [b"", b"{", b"[1]", *(json.dumps(LEASE | change).encode() for change in ({"process": -1}, {"until": "x"}))]


@pytest.mark.parametrize("damage", [*DAMAGED, json.dumps(LEASE | {"until": 9e12}).encode()])
def test_a_damaged_lease_is_none(tmp_path, damage):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "a.json").write_bytes(damage)
    with Leases(Folder(tmp_path)).claimed("a") as held:
        assert held


def hold_and_die(root):
    with Leases(Folder(root)).claimed("a"):
        os._exit(9)


def test_a_process_of_this_machine_that_died_holds_nothing(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=hold_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    lease = json.loads((tmp_path / "leases" / "a.json").read_bytes())
    assert lease["process"] == process.pid and lease["until"] > time.time() + 60
    with Leases(Folder(tmp_path)).claimed("a") as held:
        assert held


def test_another_machine_is_believed(tmp_path):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "a.json").write_text(json.dumps(LEASE | {"until": time.time() + 60}))
    with Leases(Folder(tmp_path)).claimed("a") as held:
        assert not held
    assert Leases(Folder(tmp_path)).holder("a") == "process 7 of elsewhere"


def test_of_many_who_take_over_one_does(place, clock):
    with Leases(place, HOUR, clock).claimed("a"):
        clock.now += 2 * HOUR - 1
        others = [Leases(place, HOUR, clock) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda other: other._take("a"), others)).count(True) == 1


def test_the_thread_ends_when_nothing_is_held(tmp_path):
    leases = Leases(Folder(tmp_path), 0.2)
    with leases.claimed("a"):
        thread = leases._thread
    thread.join(5)
    assert not thread.is_alive() and leases._thread is None


def test_a_full_disk_takes_no_lease_and_stops_nobody(tmp_path):
    (tmp_path / "leases").write_text("a file where the folder should be")
    with Leases(Folder(tmp_path)).claimed("a") as held:
        assert held
