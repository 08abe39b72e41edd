"""What a plug-in does to the interpreter: random states, imports, and where an exception came from."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from rebeca.errors import PluginError

HEAVY = ("torch", "transformers", "diffusers", "open_clip", "tensorflow", "jax")
"""Packages that take seconds to import."""


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seeds the global random states for a block, and puts them back."""
    torch = sys.modules.get("torch")
    numbers = None if torch is None else torch.get_rng_state()
    before = random.getstate(), np.random.get_state(), numbers  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch is not None:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        if torch is not None:
            torch.set_rng_state(before[2])


def global_state() -> dict[str, str]:
    """The global random states, by package."""
    torch = sys.modules.get("torch")
    states = {"random": repr(random.getstate()), "numpy.random": repr(np.random.get_state(legacy=False))}  # noqa: NPY002
    return states if torch is None else states | {"torch": repr(torch.get_rng_state().numpy().tobytes())}


@cache
def heavy_imports(module: str) -> tuple[str, ...]:
    """Heavy packages that come with a module, seen in a fresh interpreter; none where it cannot be imported there."""
    names = f"sorted(set({HEAVY}) & set(sys.modules))"
    code = f"import importlib, sys; importlib.import_module({module!r}); sys.stdout.write(' '.join({names}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    return () if done.returncode else tuple(done.stdout.split())


def raised_at(error: PluginError, plugin: type[Any]) -> str:
    """File and line of the plug-in from which an exception came; of the last call where none of its own is there."""
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    file = getattr(sys.modules.get(plugin.__module__), "__file__", "")
    frame = [*(frame for frame in frames if frame.filename != file), *(f for f in frames if f.filename == file)][-1]
    return f"{frame.filename}, line {frame.lineno}"
