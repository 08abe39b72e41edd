"""A script of an author who tests the plug-ins of `client.py` with their contracts; see there."""
# ruff: noqa: T201

from pathlib import Path
from tempfile import mkdtemp

from client import Colours, Lucky, Nearness, Shades, Stripes, Thumbnail, Wanted

from rebeca.testing import (
    CheckResult,
    Contract,
    ContractBreach,
    DatasetContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    JudgeContract,
    ScorerContract,
    SetScorerContract,
    World,
    make_world,
    run_contract,
)


class TestShades(DatasetContract):
    plugin = Shades
    path = Path(mkdtemp())


class TestThumbnail(EncoderContract):
    plugin = Thumbnail


class TestStripes(DecoderContract):
    plugin = Stripes


class TestNearness(JudgeContract):
    plugin = Nearness


class TestLucky(GeneratorContract):
    plugin = Lucky


class TestWanted(ScorerContract):
    plugin = Wanted


class TestColours(SetScorerContract):
    plugin = Colours


def main() -> None:
    assert TestShades.path is not None
    (TestShades.path / "captions.txt").write_text("\n".join(f"shade {i}" for i in range(12)))
    tests: list[type[Contract]] = [
        TestShades, TestThumbnail, TestStripes, TestNearness, TestLucky, TestWanted, TestColours,
    ]  # fmt: skip
    for test in tests:
        broken: list[CheckResult] = [result for result in run_contract(test) if result.broken]
        assert not broken, broken
        print("kept:", test.__name__)
    world: World = make_world()
    print("users:", len(world.users))
    try:
        raise ContractBreach("wrong", hint="mend it")
    except ContractBreach as breach:
        print(breach.message)


if __name__ == "__main__":
    main()
