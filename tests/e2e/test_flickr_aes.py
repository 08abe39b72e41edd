"""The published tasks from the command line, with tiny random weights in the published layouts and made-up data."""

from __future__ import annotations

import json

import pytest

from tests.conftest import invoke


@pytest.fixture(scope="module")
def smoke(random_weights, tmp_path_factory):
    """The smoke task, run from ``weights check`` to the page."""
    folder = tmp_path_factory.mktemp("flickr")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REBECA_WEIGHTS", str(random_weights))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("benchmark.runner.embed.MAPPED_FROM", 0)  # vectors stay on the disk, as large ones do
        said = invoke("weights", "check", "flickr-aes-smoke")
        invoke("dev", "make-data", "flickr-aes", "--root", folder / "data", "--users", 10, "--items", 80)
        invoke("data", "prepare", "flickr-aes", "--root", folder / "data")
        run(folder)
    return folder, said


def run(folder, *more, code=0):
    return invoke(
        "run", "flickr-aes-smoke", "--set", f"data.path={folder / 'data'}", "--workdir", folder / "w", "--site",
        folder / "site", "--quiet", *more, code=code,
    )  # fmt: skip


def records(folder):
    (records,) = (folder / "w" / "records" / "flickr-aes-smoke").glob("v1*")
    return records


def test_the_smoke_task_runs_from_the_check_to_the_page(smoke):
    folder, said = smoke
    assert "random weights: everything runs, and no result means anything" in said
    comparison = json.loads((records(folder) / "_task" / "comparison.json").read_text())
    assert not comparison["task"]["modified"]
    weights = comparison["provenance"]["weights"]
    assert set(weights) == {"sd15", "ip-adapter-sd15", "vit-h", "vit-g", "vit-l", "hpsv2.0", "laion-v2"}
    assert all(" random " in identity for identity in weights.values())
    record = json.loads((records(folder) / "rebeca-published" / "record.json").read_text())
    assert {"ncf", "auditor", "ncf-prior", "hpsv2", "laion", "precision@1"} <= set(record["summary"])
    assert record["images"]["valid"] == record["images"]["requested"] == 16
    assert record["images"]["different"] == 16
    assert record["provenance"]["batches"]["rebeca-published"] == [8]
    assert "all agree" in invoke("verify", records(folder))


def test_the_page_says_that_weights_are_random(smoke):
    folder, _ = smoke
    page = (folder / "site" / "tasks" / "flickr-aes-smoke" / "index.html").read_text()
    assert "Random weights" in page and "vit-g" in page
    assert "sd15 random " in (
        folder / "site" / "tasks" / "flickr-aes-smoke" / "generators" / "rebeca-published.html"
    ).read_text()  # fmt: skip


def test_the_same_command_does_nothing_again(smoke, published):
    folder, _ = smoke
    before = {p: p.read_bytes() for p in records(folder).rglob("*") if p.is_file()}
    run(folder)
    assert before == {p: p.read_bytes() for p in records(folder).rglob("*") if p.is_file()}


def test_what_random_weights_made_is_not_published(smoke, published, tmp_path):
    folder, _ = smoke
    assert "random weights (hpsv2.0" in run(folder, "--publish", tmp_path, code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_other_weights_make_other_images(smoke, tmp_path, monkeypatch):
    from benchmark.dev.random_weights import LAYOUTS, make_weights

    folder, _ = smoke
    for layout in LAYOUTS:
        make_weights(layout, "tiny", tmp_path, seed=1)
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    images = {p.name for p in (folder / "w" / "images").glob("*/*")}
    run(folder)
    assert len({p.name for p in (folder / "w" / "images").glob("*/*")} - images) == 4


def test_the_published_settings_are_in_the_task():
    spec = json.loads(invoke("validate", "flickr-aes", "--json"))["spec"]
    published = spec["generators"][0]
    assert published["params"]["prior_guidance"] == 5 and published["params"]["steps"] == 1000
    assert published["params"]["objective"] == "sample" and published["params"]["tokens"] == 32
    assert published["decoder"]["image_guidance"] == 5 and published["decoder"]["steps"] == 50
    assert (spec["images"], spec["seed"], spec["judges"]["ratings"]) == (25, 42, "shared")
    grid = json.loads(invoke("validate", "flickr-aes-cross-guidance", "--json"))["spec"]
    cells = {(g["params"]["prior_guidance"], g["decoder"]["image_guidance"]) for g in grid["generators"]}
    assert len(cells) == 25 and grid["images"] == 10
    prompts = json.loads(invoke("validate", "flickr-aes-prompts", "--json"))["spec"]["generators"]
    assert len({g["decoder"]["prompt"] for g in prompts[:3]}) == 3


def test_without_a_gpu_the_device_is_refused_before_any_work(smoke):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    folder, _ = smoke
    assert "this machine has no CUDA device" in run(folder, "--device", "cuda", code=2)


@pytest.mark.slow
def test_exhausted_memory_is_one_message_and_the_run_goes_on(random_weights, tmp_path, monkeypatch):
    from rebeca.decoders.stable_diffusion import StableDiffusion

    monkeypatch.setenv("REBECA_WEIGHTS", str(random_weights))
    invoke("dev", "make-data", "flickr-aes", "--root", tmp_path / "data", "--users", 10, "--items", 80)
    invoke("data", "prepare", "flickr-aes", "--root", tmp_path / "data")
    with pytest.MonkeyPatch.context() as patch:

        def full(*_):
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")

        patch.setattr(StableDiffusion, "_batch", full)
        output = run(tmp_path, code=8)
        assert "out of memory" in output and "the same command continues" in output
    assert "few users" in run(tmp_path)


@pytest.mark.slow
def test_an_interrupted_encoding_goes_on_where_it_stopped(random_weights, tmp_path, monkeypatch):
    from benchmark.runner import embed as embedding
    from rebeca.encoders.published import Published

    monkeypatch.setenv("REBECA_WEIGHTS", str(random_weights))
    invoke("dev", "make-data", "flickr-aes", "--root", tmp_path / "data", "--users", 10, "--items", 80)
    invoke("data", "prepare", "flickr-aes", "--root", tmp_path / "data")
    monkeypatch.setattr(embedding, "CHUNK", 16)
    encode, chunks, again = Published.encode, [], []

    def stopping(self, images, items=None):
        if len(chunks) == 3:
            raise KeyboardInterrupt
        chunks.append(items[0])
        return encode(self, images, items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Published, "encode", stopping)
        run(tmp_path, code=130)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Published, "encode",
            lambda self, images, items=None: again.append((items or [None])[0]) or encode(self, images, items),
        )  # fmt: skip
        run(tmp_path)
    assert chunks == [0, 16, 32] and again[0] == 48
    assert not list((tmp_path / "w" / "checkpoints").glob("embeddings-*"))


@pytest.mark.slow
def test_a_kill_between_encoding_and_the_store_costs_no_vector(random_weights, tmp_path, monkeypatch):
    from benchmark.runner.store import Store
    from rebeca.encoders.published import Published

    monkeypatch.setenv("REBECA_WEIGHTS", str(random_weights))
    invoke("dev", "make-data", "flickr-aes", "--root", tmp_path / "data", "--users", 10, "--items", 80)
    invoke("data", "prepare", "flickr-aes", "--root", tmp_path / "data")
    make = Store.make

    def killed(self, address, write):
        if address.stage != "embeddings":
            return make(self, address, write)
        write(tmp_path)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "make", killed)
        run(tmp_path, code=130)
    encode, again = Published.encode, []

    def noted(self, images, items=None):
        again.append((self._name, (items or [None])[0]))
        return encode(self, images, items)

    monkeypatch.setattr(Published, "encode", noted)
    run(tmp_path)
    assert ("published:vit-h", 0) not in again and ("published:vit-g", 0) in again
