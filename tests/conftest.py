import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["REBECA_PROCESSES"] = "1"  # tests run side by side; test_spread.py has more
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["COLUMNS"] = "200"  # sentences with long paths stay on one line
os.environ["REBECA_WORKDIR"] = os.environ["REBECA_STORE"] = os.environ["REBECA_DEVICE"] = os.environ["REBECA_QUIET"] = (
    ""  # as if not set
)

import shutil
import socket
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import settings
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

settings.register_profile("few", max_examples=20, deadline=None)
settings.register_profile("many", max_examples=150, deadline=None)


def pytest_configure(config):
    """Tests that try random input try more of it where slow tests run, too."""
    settings.load_profile("few" if config.option.markexpr == "not slow" else "many")


@pytest.fixture
def shared():
    if not SHARED.is_dir():
        pytest.skip("the shared folder with OASIS and golden figures is not here")
    return SHARED


WITHOUT_PAGE = "import benchmark.site.build as build; build.build_site = lambda _, out, *__: out / 'index.html'"
"""For a process of its own: a run builds no page."""


@contextmanager
def without_page():
    """A run builds no page, which takes most of the time of a tiny one."""
    from benchmark.site import build

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "build_site", lambda _, out, *__: out / "index.html")
        yield


def invoke(*arguments, code=0):
    """Runs a command line and gives its output; ``run`` builds a page only where ``--site`` says where."""
    from benchmark.commands.main import main

    bare = arguments[0] == "run" and "--site" not in arguments
    with without_page() if bare else nullcontext():
        result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    assert "Traceback" not in result.output
    return result.output


def make_folder(folder, users=12, items=24, seed=0, density=1.0, size=24):
    """A small folder data set: users like images of their own colour, plain in the pixels."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    hue = rng.integers(0, 3, items)
    for i in range(items):
        pixels = rng.integers(0, 60, (size, size, 3)).astype(np.uint8)
        pixels[..., hue[i]] += 150
        Image.fromarray(pixels).save(folder / "images" / f"{i}.png")
    lines = ["item,file,caption"] + [f"i{i},{i}.png,image {i}" for i in range(items)]
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    rows = ["user,item,rating"]
    for u in range(users):
        for i in range(items):
            if rng.random() < density:
                base = 5 if hue[i] == u % 3 else 2
                rows.append(f"u{u},i{i},{int(np.clip(base + rng.integers(-1, 2), 1, 7))}")
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """Tiny random weights of every published layout, as ``$REBECA_WEIGHTS``."""
    from benchmark.dev.random_weights import LAYOUTS, make_weights

    root = tmp_path_factory.mktemp("weights")
    for layout in LAYOUTS:
        make_weights(layout, "tiny", root)
    return root


@pytest.fixture
def published(random_weights, monkeypatch):
    """Published names lead to tiny random weights."""
    monkeypatch.setenv("REBECA_WEIGHTS", str(random_weights))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return random_weights


@pytest.fixture
def copied(random_weights, tmp_path, monkeypatch):
    """Tiny random weights that a test may damage, under the published names."""
    shutil.copytree(random_weights, tmp_path / "weights")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


TINY = """
schema: 1
id: tiny
version: 1
title: A tiny task
seed: 7
data:
  kind: folder
  path: data
  params: {scale: [1, 7], redistribute: true}
  like_at: 4
  split: {kind: held-out-items, test: 0.34, validation: 0.25}
judges:
  verifier: {use: ncf, encoder: "fourier:8", params: {nets: 1, dims: 4, epochs: 3, patience: 2}}
  auditor: {use: ncf, encoder: {use: "pca:6", of: "fourier:12"}, params: {nets: 1, dims: 4, epochs: 3, patience: 2}}
  ratings: shared
  learning_curve: [0.5]
images: 3
encoder: {use: "pca:4", of: "fourier:8"}
decoder: {use: nearest-picture}
generators:
  - id: rebeca
    use: rebeca
    params:
      normalize: pca
      dims: 4
      scale: 0.3
      network: mlp
      hidden: 16
      layers: 1
      max_steps: 20
      patience: null
      batch: 32
      lr: 0.001
      sampler: DPMSolverMultistepScheduler
      steps: 4
      prior_guidance: 2.0
  - {id: rebeca-no-user, extends: rebeca, params: {condition: [rating]}}
  - {id: rebeca-shuffled-users, extends: rebeca, params: {users: shuffled}}
  - {id: catalogue-random, use: catalogue, params: {rank_by: random}}
  - {id: catalogue-verifier, use: catalogue, params: {rank_by: verifier}}
scorers:
  - ncf
  - auditor
  - observed
  - diversity
  - nearest-training
  - {use: precision-recall, params: {at: [1, 3], by: samples, least_likes: 1}}
analysis:
  primary: {scorer: ncf, statistic: mean}
  reference: rebeca
  family: all-pairs
  permutations: 199
  bootstrap: 199
"""


def with_wild(*hows, isolate="{seconds: 60}"):
    """The tiny task with wild generators before the last two."""
    lines = "".join(f"  - {{id: {how}, title: Wild {how}, use: wild, params: {{how: {how}}}}}\n" for how in hows)
    text = TINY.replace("  - {id: catalogue-random", lines + "  - {id: catalogue-random")
    return text + (f"isolate: {isolate}\n" if isolate else "")


@pytest.fixture
def tiny(tmp_path):
    """A task file beside a data folder; takes seconds."""
    make_folder(tmp_path / "data")
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("tiny")
    make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(TINY)
    invoke("run", folder / "tiny.yaml", "--workdir", folder / "w", "--site", folder / "site", "--quiet")
    return folder


@contextmanager
def wild_installed(packages):
    """The generator ``wild`` as if its package were installed, in a folder of packages."""
    from rebeca.registered import registered

    def forget():
        sys.modules.pop("wild_package", None)
        registered.cache_clear()

    about = packages / "wild-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "third_party.py", packages / "wild_package.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wild\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rebeca_bench.generators]\nwild = wild_package:Wild\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        patch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
        forget()
        yield
        forget()


@pytest.fixture
def installed(tmp_path):
    """The package of the generator ``wild``, in ``tmp_path / "packages"``."""
    with wild_installed(tmp_path / "packages"):
        yield


MINIATURE = """
schema: 1
id: miniature
version: 1
title: A miniature run
data:
  kind: tinyworld
  params: {items: 200, users: 7, seed: 5}
  like_at: 4
  split: {kind: per-user, test: 10, validation: 6}
judges:
  verifier: {use: ncf, encoder: "tinyworld:verifier-encoder", params: {nets: 1, epochs: 3}}
  auditor: {use: ncf, encoder: "tinyworld:auditor-encoder", params: {nets: 1, epochs: 3}}
images: 2
encoder: "tinyworld:prior-encoder"
decoder: {use: stable-diffusion-ip-adapter, params: {steps: 2, batch: 8}}
generators:
  - id: rebeca
    use: rebeca
    params:
      {normalize: pca, dims: 8, network: mlp, hidden: 32, layers: 1, user_rows: taste, max_steps: 20, patience: null,
       sampler: DPMSolverMultistepScheduler, steps: 4}
  - {id: best, extends: rebeca, images: 1, params: {best_of: 8}}
  - {id: half, extends: rebeca, params: {ratings_share: 0.5}}
  - {id: guided, extends: rebeca, decoder: {image_guidance: 4.0}}
  - id: grid
    extends: rebeca
    sweep: {prior_guidance: [1.0, 3.0], image_guidance: [1.0, 4.0]}
  - {id: same-prompt, extends: rebeca, decoder: {prompt: ""}}
  - {id: persona, use: prompts, params: {words: persona}}
  - {id: published, use: prompts, params: {words: published-2}}
  - {id: shelf, use: catalogue, params: {rank_by: random}}
scorers:
  - ncf
  - auditor
  - ground-truth
  - in-world
  - {use: hpsv2, params: {backbone: tinyworld}}
  - {use: laion, params: {backbone: tinyworld}}
  - ncf-prior
  - diversity
analysis: {reference: rebeca, family: against-reference, permutations: 199, bootstrap: 199}
"""
"""Words and embeddings in, images out, by the shipped models: takes some ten seconds."""


@pytest.fixture(scope="session")
def miniature(tmp_path_factory):
    """Folder and output of a finished run of tinyworld in miniature, during which no network could be asked."""
    folder = tmp_path_factory.mktemp("miniature")
    (folder / "task.yaml").write_text(MINIATURE)

    def refuse(*_):
        raise AssertionError("the network was asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "create_connection", refuse)
        out = invoke("run", folder / "task.yaml", "--workdir", folder / "work")
    return folder, out


def tables_of(records):
    """What a board is made from, by the public readers."""
    from benchmark.board.board import read_board
    from benchmark.board.tables import read_tables

    return read_tables(read_board(records))


@pytest.fixture(scope="session")
def tables(done):
    """The rows behind the tiny task's board."""
    return tables_of(done / "w" / "records" / "tiny" / "v1")


@pytest.fixture(scope="session")
def miniature_tables(miniature):
    """The rows behind the miniature task's board."""
    folder, _ = miniature
    return tables_of(folder / "work" / "records" / "miniature" / "v1")
