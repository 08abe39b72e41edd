"""What a record says about weights that a task names as files."""

import hashlib

import pytest
import torch

from benchmark.runner.addresses import data_addresses, find_addresses
from benchmark.runner.provenance import _named_files
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from rebeca.scorers.laion_head import KNOWN, KnownHead


def named_files(task):
    task = load_task(task)
    return _named_files(task, find_addresses(task, "cpu", ("u0",), data_addresses(task)))


@pytest.fixture
def with_heads(tiny):
    """A task that scores with two heads from files."""
    lines = []
    for number in (1, 2):
        torch.save({"weight": torch.full((1, 120), number), "bias": torch.zeros(1)}, tiny.parent / f"head{number}.pth")
        lines.append(
            f'  - {{id: own{number}, use: laion, params: {{backbone: "fourier:8", weights: head{number}.pth}}}}'
        )
    tiny.write_text(tiny.read_text().replace("scorers:\n", "scorers:\n" + "\n".join(lines) + "\n"))
    return tiny


def test_a_record_says_whether_a_file_is_a_published_one(with_heads, monkeypatch):
    first, second = (hashlib.sha256((with_heads.parent / f"head{n}.pth").read_bytes()).hexdigest() for n in (1, 2))
    known = KnownHead("sa_0_4_vit_b_16_linear", "ViT-B/16")
    monkeypatch.setattr(KnownHead, "takes", lambda *_: True)
    monkeypatch.setitem(KNOWN, first, known)
    assert named_files(with_heads) == {
        "head1.pth": f"sa_0_4_vit_b_16_linear known {first[:16]}",
        "head2.pth": f"head2.pth unknown {second[:16]}",
    }


@pytest.mark.parametrize("name", ["sprites", "tinyworld-quick", "tinyworld"])
def test_bundled_tasks_name_no_files(name):
    assert named_files(find_task(name)) == {}
