"""Published weights: what they are, where they are stored here, and whether their hashes are the published ones.

None is bundled. A task names them as ``published:NAME``. They are looked for below ``$REBECA_WEIGHTS`` (by default
``weights`` in the user's cache folder), one folder per repository with the repository's own paths in it, and in the
hub's cache at the pinned commit. Every file is hashed before it is used, and again when its size or time changed.
Loaders are given a folder of links to those files alone. So they never read another file of the repository, such as an
index that leads elsewhere.

``rebeca-bench dev make-weights`` writes random weights in the same layouts, with a card that says so. They take the
place of the published ones below ``$REBECA_WEIGHTS`` and are called random wherever they are named.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rebeca import references
from rebeca.errors import MissingDependency, SpecError, did_you_mean
from rebeca.hashes import cache_folder, file_hash
from rebeca.seeds import digest_of

PREFIX = "published:"
CARD = "random-weights.json"
"""Beside random weights: their size, and the SHA-256 of every file."""
LINKS = "links"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a repository.

    Attributes:
        name: Path in the repository.
        sha256: Of its contents; None for configurations, which hold no weights and are pinned by the commit alone.
        size: Bytes; None where it is not pinned.
    """

    name: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What a name stands for.

    Attributes:
        name: After ``published:``.
        title: One line.
        repository: ``owner/name`` on the hub, or where to fetch it by hand.
        revision: Commit; None for what is no repository of the hub.
        inside: The part of the repository that loaders are given: a folder, a file, or the whole.
        files: What loaders read.
        licence: Of the weights, as their publishers name it.
        parameters: How many, in millions.
        gigabytes: Of all files, about.
        references: Papers to cite, each as a BibTeX entry.
    """

    name: str
    title: str
    repository: str
    revision: str | None
    inside: str
    files: tuple[WeightFile, ...]
    licence: str
    parameters: float
    gigabytes: float
    references: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of the repository's folder below ``$REBECA_WEIGHTS``."""
        return self.repository.replace("/", "--")


IP_ADAPTER = ("h94/IP-Adapter", "018e402774aeeddd60609b4ecdb7e298259dc729")
HPS = ("xswu/HPSv2", "697403c78157020a1ae59d23f111aa58ced35b0a")
ALL = {
    weights.name: weights
    for weights in (
        Published(
            "sd15",
            "Stable Diffusion 1.5",
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            "",
            (
                WeightFile("model_index.json"),
                WeightFile("scheduler/scheduler_config.json"),
                WeightFile("text_encoder/config.json"),
                WeightFile(
                    "text_encoder/model.safetensors",
                    "d008943c017f0092921106440254dbbe00b6a285f7883ec8ba160c3faad88334",
                    492_265_874,
                ),
                WeightFile("tokenizer/merges.txt"),
                WeightFile("tokenizer/special_tokens_map.json"),
                WeightFile("tokenizer/tokenizer_config.json"),
                WeightFile("tokenizer/vocab.json"),
                WeightFile("unet/config.json"),
                WeightFile(
                    "unet/diffusion_pytorch_model.safetensors",
                    "19da7aaa4b880e59d56843f1fcb4dd9b599c28a1d9d9af7c1143057c8ffae9f1",
                    3_438_167_540,
                ),
                WeightFile("vae/config.json"),
                WeightFile(
                    "vae/diffusion_pytorch_model.safetensors",
                    "a2b5134f4dbc140d9c11f11cba3233099e00af40f262f136c691fb7d38d2194c",
                    334_643_276,
                ),
            ),
            "CreativeML Open RAIL-M",
            1066.23,
            4.27,
            (references.LATENT_DIFFUSION,),
        ),
        Published(
            "ip-adapter-sd15",
            "IP-Adapter for Stable Diffusion 1.5",
            *IP_ADAPTER,
            "",
            (
                WeightFile(
                    "models/ip-adapter_sd15.safetensors",
                    "289b45f16d043d0bf542e45831f971dcdaabe18b656f11e86d9dfba7e9ee3369",
                ),
            ),
            "Apache-2.0",
            22.32,
            0.04,
            (references.IP_ADAPTER,),
        ),
        Published(
            "vit-h",
            "CLIP ViT-H/14, IP-Adapter's image encoder",
            *IP_ADAPTER,
            "models/image_encoder",
            (
                WeightFile("models/image_encoder/config.json"),
                WeightFile(
                    "models/image_encoder/model.safetensors",
                    "6ca9667da1ca9e0b0f75e46bb030f7e011f44f86cbfb8d5a36590fcd7507b030",
                    2_528_373_448,
                ),
            ),
            "Apache-2.0",
            632.08,
            2.53,
            (references.CLIP, references.OPEN_CLIP),
        ),
        Published(
            "vit-g",
            "CLIP ViT-bigG/14, image encoder of IP-Adapter for SDXL",
            *IP_ADAPTER,
            "sdxl_models/image_encoder",
            (
                WeightFile("sdxl_models/image_encoder/config.json"),
                WeightFile(
                    "sdxl_models/image_encoder/model.safetensors",
                    "657723e09f46a7c3957df651601029f66b1748afb12b419816330f16ed45d64d",
                    3_689_912_664,
                ),
            ),
            "Apache-2.0",
            1844.91,
            3.69,
            (references.CLIP, references.OPEN_CLIP),
        ),
        Published(
            "vit-l",
            "OpenAI's CLIP ViT-L/14",
            "openai/clip-vit-large-patch14",
            "32bd64288804d66eefd0ccbe215aa642df71cc41",
            "",
            (
                WeightFile("config.json"),
                WeightFile(
                    "model.safetensors",
                    "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
                    1_710_540_580,
                ),
            ),
            "MIT",
            427.62,
            1.71,
            (references.CLIP,),
        ),
        Published(
            "hpsv2.0",
            "HPS v2.0",
            *HPS,
            "HPS_v2_compressed.pt",
            (WeightFile("HPS_v2_compressed.pt", "07cb0d20626232204ca3a6ec53ff5984e7e53212a8a7b0e0ec2bac1bdaf125a1"),),
            "Apache-2.0",
            986.11,
            1.97,
            (references.HPSV2,),
        ),
        Published(
            "hpsv2.1",
            "HPS v2.1",
            *HPS,
            "HPS_v2.1_compressed.pt",
            (WeightFile("HPS_v2.1_compressed.pt", "c57a38fb4a2f7e7c15bf00da2ea377cdf165448b4dd1052a484c215a998c9837"),),
            "Apache-2.0",
            986.11,
            1.97,
            (references.HPSV2,),
        ),
        Published(
            "laion-v2",
            "LAION aesthetics v2, linear head",
            "github.com/christophschuhmann/improved-aesthetic-predictor",
            None,
            "sac+logos+ava1-l14-linearMSE.pth",
            (
                WeightFile(
                    "sac+logos+ava1-l14-linearMSE.pth",
                    "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0",
                ),
            ),
            "Apache-2.0",
            0.93,
            0.004,
            (references.LAION_5B,),
        ),
    )
}
"""Hashes and sizes come from public lists; they could not be compared with the hub itself when they were written."""


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """Weights on this machine whose hashes are as expected.

    Attributes:
        path: What loaders are given: links to the files that were hashed.
        source: Folder or file that the links lead to.
        origin: ``published``, or ``random`` for ``dev make-weights``.
        digest: SHA-256 over the hashes of all files.
    """

    path: Path
    source: Path
    origin: Literal["published", "random"]
    digest: str

    def identity(self, name: str) -> str:
        """Name of the weights in addresses and records; changes with any byte of them."""
        return f"{name} {self.origin} {self.digest[:16]}"


def weights_root() -> Path:
    """``$REBECA_WEIGHTS``, or ``weights`` in the user's cache folder."""
    return Path(os.environ.get("REBECA_WEIGHTS") or cache_folder() / "weights")


def is_published(name: str | None) -> bool:
    return name is not None and name.startswith(PREFIX)


def published(name: str) -> Published:
    """What ``published:NAME``, or NAME alone, stands for.

    Raises:
        SpecError: If there is no such name.
    """
    short = name.removeprefix(PREFIX)
    if short not in ALL:
        raise SpecError(f"'{PREFIX}{short}' is unknown", hint=did_you_mean(short, ALL))
    return ALL[short]


def known_file(sha256: str) -> str | None:
    """Name of the published weights that a file with this hash belongs to."""
    return next((name for name, weights in ALL.items() for file in weights.files if file.sha256 == sha256), None)


def names_in(node: Any) -> list[str]:
    """Every published name in a resolved task, sorted; misspelt ones are refused where they are used."""
    return sorted({text.removeprefix(PREFIX) for text in _texts(node) if text.startswith(PREFIX)} & ALL.keys())


def locate(name: str) -> Path:
    """The folder or file that loaders are given; see :func:`find`."""
    return find(name).path


def identity(name: str) -> str:
    """Name, origin and digest; see :func:`find`."""
    return find(name).identity(name.removeprefix(PREFIX))


def find(name: str) -> LocalWeights:
    """Weights, after all their files were hashed.

    Raises:
        SpecError: If there is no such name.
        MissingDependency: Naming the first file that is absent or not what it should be.
    """
    return _find(published(name).name, str(weights_root()), os.environ.get("HF_HOME", ""))


def folder_of(name: str) -> Path:
    """The folder of its repository on this machine; its files are not hashed, so weights are not read from it.

    Raises:
        SpecError: If there is no such name.
        MissingDependency: If it is not here.
    """
    return _folder_with(published(name), weights_root())


@cache
def _find(name: str, root: str, home: str) -> LocalWeights:
    weights = ALL[name]
    folder = _folder_with(weights, Path(root))
    card = _card(folder)
    hashes = {}
    for file in weights.files:
        path = folder / file.name
        if not path.is_file():
            raise MissingDependency(f"weights '{PREFIX}{name}': {path} is missing", hint=how_to_fetch(weights))
        expected = file.sha256 if card is None else card.get(file.name)
        if card is not None and expected is None:
            raise MissingDependency(
                f"weights '{PREFIX}{name}': {folder / CARD} does not list {file.name}",
                hint="the folder mixes random weights with others: empty it",
            )
        hashes[file.name] = file_hash(path)
        if expected is not None and hashes[file.name] != expected:
            source = "its card says" if card is not None else "the published file has"
            raise MissingDependency(
                f"weights '{PREFIX}{name}': {path} has SHA-256 {hashes[file.name]}, {source} {expected}",
                hint=f"delete it; {how_to_fetch(weights)}",
            )
    links = _links({file.name: (folder / file.name).absolute() for file in weights.files})
    return LocalWeights(
        path=links / weights.inside,
        source=folder / weights.inside,
        origin="published" if card is None else "random",
        digest=digest_of(hashes),
    )


def _folder_with(weights: Published, root: Path) -> Path:
    """Below ``root`` or in the hub's cache; an incomplete folder below ``root`` where neither has all files."""
    folder = root / weights.folder
    if _has_all(folder, weights):
        return folder
    if weights.revision is not None:
        from huggingface_hub import constants

        cached = Path(constants.HF_HUB_CACHE) / f"models--{weights.folder}" / "snapshots" / weights.revision
        if _has_all(cached, weights):
            return cached
    if not folder.is_dir():
        raise MissingDependency(
            f"weights '{PREFIX}{weights.name}' ({weights.title}) are neither in {folder} nor in the hub's cache",
            hint=how_to_fetch(weights),
        )
    return folder


def _links(files: dict[str, Path]) -> Path:
    """A folder in the cache that holds links to these files and nothing else."""
    folder = cache_folder() / LINKS / digest_of({name: str(path) for name, path in files.items()})[:16]
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    if {name: path.is_symlink() and path.readlink() for name, path in present.items()} == files:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
    for name, path in files.items():
        (temporary / name).parent.mkdir(parents=True, exist_ok=True)
        (temporary / name).symlink_to(path)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # another process was faster and wrote the same links
        temporary.rename(folder)
    shutil.rmtree(temporary, ignore_errors=True)
    return folder


def how_to_fetch(weights: Published) -> str:
    if weights.revision is None:
        files = ", ".join(file.name for file in weights.files)
        return f"fetch {files} from {weights.repository} by hand and put it into {weights_root() / weights.folder}"
    return f"rebeca-bench weights fetch {weights.name}"


def _card(folder: Path) -> dict[str, str] | None:
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise MissingDependency(f"{path}: cannot be read ({error})", hint="write the weights again") from error
    return {str(name): str(digest) for name, digest in dict(files).items()}


def _has_all(folder: Path, weights: Published) -> bool:
    return all((folder / file.name).is_file() for file in weights.files)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for child in node.values():
            yield from _texts(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _texts(child)
