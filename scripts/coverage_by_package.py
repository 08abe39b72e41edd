"""``python -m scripts.coverage_by_package``: how much of each module the tests of its own package reach.

``benchmark/site`` is measured by ``tests/benchmark/site`` alone, ``rebeca/data`` by ``tests/rebeca/data`` alone, and
modules that lie in no package by the test files beside them. Whole runs, which reach nearly everything, do not count.
Fails where a module is covered below the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rebeca", "baselines", "benchmark")
LEAST = 85.0
"""Percent of the lines of every module."""
NO_TESTS_COLLECTED = 5
"""Pytest's exit code."""


@dataclass(frozen=True, slots=True)
class Package:
    """A folder of modules and the tests that measure it.

    Attributes:
        name: Folder below the root, such as ``benchmark/site``.
        modules: Its modules, without those of folders below it.
        tests: Folder or files for pytest; may be empty.
    """

    name: str
    modules: tuple[Path, ...]
    tests: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """Lines of a module that can run, and those that did not; ``tested`` is False where tests failed."""

    path: str
    lines: int
    missed: int
    tested: bool = True

    @property
    def percent(self) -> float:
        """Share of the lines that ran, 0 to 100."""
        return 100.0 * (1 - self.missed / self.lines) if self.lines else 100.0


def packages() -> Iterator[Package]:
    """Every folder of product code that holds modules."""
    for top in PACKAGES:
        for folder in (ROOT / top, *sorted(path for path in (ROOT / top).rglob("*") if path.is_dir())):
            modules = tuple(path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py")
            if not modules:
                continue
            tests = ROOT / "tests" / folder.relative_to(ROOT)
            holds_packages = any((path / "__init__.py").exists() for path in folder.iterdir())
            own_tests = tuple(sorted(tests.glob("test_*.py"))) if holds_packages else (tests,) if tests.is_dir() else ()
            yield Package(folder.relative_to(ROOT).as_posix(), modules, own_tests)


def measure(package: Package) -> list[Module]:
    """Runs the package's tests and reads what they covered."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "--no-header", "-p", "no:cacheprovider", *map(str, package.tests)]
        command += [f"--cov={ROOT / package.name}", f"--cov-report=json:{report}", "--cov-fail-under=0"]
        environment = os.environ | {"COVERAGE_FILE": str(Path(folder) / "data"), "OMP_NUM_THREADS": "1"}
        covered: dict[str, dict[str, int]] = {}
        passed = not package.tests
        if package.tests:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            passed = done.returncode in (0, NO_TESTS_COLLECTED)
            if not passed:
                sys.stderr.write(done.stdout + done.stderr)
            if report.exists():
                files = json.loads(report.read_text(encoding="utf-8"))["files"]
                covered = {name: entry["summary"] for name, entry in files.items()}
    return [_module(path, covered, passed) for path in package.modules]


def _module(path: Path, covered: dict[str, dict[str, int]], passed: bool) -> Module:
    name = path.relative_to(ROOT).as_posix()
    if name in covered:
        return Module(name, covered[name]["num_statements"], covered[name]["missing_lines"], passed)
    lines = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return Module(name, lines, lines, passed)


def table(modules: list[Module], least: float) -> str:
    """A line per module; those below the limit are marked."""
    rows = [f"{'module':<44} {'lines':>6} {'missed':>6} {'covered':>7}"]
    for module in modules:
        mark = "" if module.percent >= least else "  below the limit"
        mark += "" if module.tested else "  tests failed"
        rows.append(f"{module.path:<44} {module.lines:>6} {module.missed:>6} {module.percent:>5.0f} %{mark}")
    return "\n".join(rows)


def main() -> None:
    """Measures the packages that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help="such as benchmark/site; all unless given")
    parser.add_argument("--least", type=float, default=LEAST, help="percent; default %(default)s")
    given = parser.parse_args()
    known = {package.name: package for package in packages()}
    names = [name.rstrip("/") for name in given.packages] or list(known)
    if unknown := sorted(set(names) - known.keys()):
        parser.error(f"no such package: {', '.join(unknown)}; known are {', '.join(known)}")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        modules = [module for measured in pool.map(measure, (known[name] for name in names)) for module in measured]
    sys.stdout.write(table(modules, given.least) + "\n")
    low = [module for module in modules if module.percent < given.least or not module.tested]
    if low:
        sys.exit(f"{len(low)} of {len(modules)} modules: covered below {given.least:g} % by the tests of their package")


if __name__ == "__main__":
    main()
