"""What the contracts of all kinds share: how a check runs and reports, and the checks that every plug-in must pass."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal, TypeVar
from unittest import SkipTest
from unittest.mock import patch

from rebeca.declared import Asker
from rebeca.errors import MissingDependency, PluginError, RebecaError, first_few
from rebeca.guards import GUARDS, WHERE, checked_class, guarded, refuse_if
from rebeca.params import make_params, params_json
from rebeca.seeds import canonical_json
from rebeca.testing.compare import Answers, first_difference, require_equal
from rebeca.testing.interpreter import HEAVY, global_seed, global_state, heavy_imports, raised_at
from rebeca.testing.world import World, make_world

C = TypeVar("C", bound="Contract")
T = TypeVar("T")
PREFIX = "test_"
ANSWERS = "test_it_answers"


class ContractBreach(PluginError):
    """A plug-in broke its contract: what was expected, what came, and as a hint how to mend it.

    Example:
        >>> from rebeca import NoParams, Scorer, ScorerCard
        >>> from rebeca.testing import ContractBreach, ScorerContract
        >>> class Silent(Scorer[NoParams]):
        ...     @classmethod
        ...     def card(cls, params):
        ...         return ScorerCard("Silent", "points", True, "Nothing.")
        ...     def score(self, images, users):
        ...         return []
        >>> class TestSilent(ScorerContract):
        ...     plugin = Silent
        >>> try:
        ...     TestSilent().test_there_is_one_number_per_image()
        ... except ContractBreach as breach:
        ...     print(breach.message)
        scorer 'Silent': score returned a list, expected an array of numbers
    """


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check of a contract ended.

    Example:
        >>> from rebeca.testing import CheckResult
        >>> CheckResult("test_params_are_frozen", "Params is frozen.", "passed").broken
        False

    Attributes:
        name: Of the method, such as ``test_params_are_frozen``.
        title: What must hold, a sentence.
        status: ``passed``, ``broken``, ``skipped`` where it does not concern this plug-in, or ``stopped`` by an error
            of the parameters, the data or the machine.
        message: What came instead, or why it did not run; empty where it passed.
        remedy: What mends it.
        exit_code: Of ``check plugin`` where this is the worst result.
    """

    name: str
    title: str
    status: Literal["passed", "broken", "skipped", "stopped"]
    message: str = ""
    remedy: str = ""
    exit_code: int = 0

    @property
    def broken(self) -> bool:
        """Whether the plug-in broke its contract."""
        return self.status == "broken"


def check(remedy: str) -> Callable[[Callable[[C], None]], Callable[[C], None]]:
    """Marks a check: whatever fails in it is a ContractBreach, with this remedy where the error has none.

    Its docstring says what must hold. Errors of parameters, data and machine stay what they are. It runs in an empty
    folder, where a plug-in that writes into the current one does no harm.
    """

    def mark(method: Callable[[C], None]) -> Callable[[C], None]:
        @wraps(method)
        def run(self: C) -> None:
            skipped: SkipTest | None = None
            try:
                with guarded(self.kind, self.label), TemporaryDirectory(prefix="rebeca-") as here, chdir(here):
                    try:
                        method(self)
                    except SkipTest as reason:  # pytest and unittest know it
                        skipped = reason
            except PluginError as error:
                hint = f"{remedy}; it came from {raised_at(error, self.plugin)}" if error.hint == WHERE else error.hint
                raise ContractBreach(error.message, hint=hint or remedy) from error
            if skipped is not None:
                raise skipped

        return run

    return mark


class Contract:
    """What every plug-in must keep, whatever its kind; inherit the class of the kind instead.

    Attributes:
        plugin: The class to test.
        params: Its parameters; by default ``Params()``.
        name: Of the plug-in in messages; by default that of its class.
        kind: Such as ``generator``.
        base: The kind's base class.
    """

    plugin: ClassVar[type[Any]]
    params: ClassVar[Any] = None
    name: ClassVar[str] = ""
    kind: ClassVar[str]
    base: ClassVar[type[Any]]
    _kept: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._kept = {}

    # --- for authors to override

    def world(self) -> World:
        """Users, items, ratings and embeddings to test with; override it where the plug-in needs others."""
        return make_world()

    def context(self, world: World) -> Any:
        """The context of the kind."""
        raise NotImplementedError

    def ready(self, place: Path) -> Any:
        """The plug-in as the harness asks it: one that learns has learned, was saved and is loaded in a new object.

        Args:
            place: An empty folder; what is saved goes into ``given`` below it, other files into ``workdir``.
        """
        return self.build()

    def asked(self, plugin: Any) -> Answers:
        """Everything that a plug-in, which is ready, can answer."""
        raise NotImplementedError

    def declared(self) -> Answers:
        """The answers of all class methods."""
        return {
            "fingerprint": self.plugin.fingerprint(self.settings),
            "environment": self.plugin.environment(self.settings),
            "check": self.plugin.check(self.settings),
        }

    # --- helpers

    @property
    def label(self) -> str:
        return self.name or self.plugin.__name__

    @property
    def settings(self) -> Any:
        """The parameters."""
        if self.params is not None:
            return self.params
        required = [
            field.name
            for field in fields(self.plugin.Params)
            if field.default is MISSING and field.default_factory is MISSING
        ]
        refuse_if(required, f"Params needs {first_few(required)}, and the test sets no params")
        return self.plugin.Params()

    @property
    def ask(self) -> Asker:
        return Asker(self.kind, self.label)

    def build(self, context: Any = None) -> Any:
        """The plug-in behind the harness's own guard, which checks every answer."""
        context = self.context(self.shared_world) if context is None else context
        inner = self.plugin(self.settings, context)
        return GUARDS[self.kind](inner, self.settings, context, self.label)

    @property
    def shared_world(self) -> World:
        """The world of the checks that change nothing in it."""

        def make() -> World:
            world = self.world()
            self._kept["inputs"] = world.digests()  # before any plug-in could change them
            return world

        return self.once("world", make)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What is made once for all checks of a class."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: T = self._kept[name]
        return kept

    @property
    def place(self) -> Path:
        """The folder of the plug-in that :meth:`kept` gives."""
        return Path(self.once("place", lambda: TemporaryDirectory(prefix="rebeca-")).name)

    def kept(self) -> Any:
        """A plug-in that is ready, for checks that only ask."""
        return self.once("ready", lambda: self.ready(self.place))

    def exercise(self) -> Answers:
        """The answers of a new plug-in."""
        with TemporaryDirectory(prefix="rebeca-") as place:
            return self.asked(self.ready(Path(place)))

    def answers(self) -> Answers:
        """Those of a first plug-in."""

        def first() -> Answers:
            with global_seed(1):
                return self.exercise()

        return self.once("answers", first)

    # --- checks

    @check("derive the class from the base class of its kind, and define its abstract methods")
    def test_class_is_complete(self) -> None:
        """The class derives from its base class and defines all of its methods."""
        checked_class(self.plugin, (self.base,), f"{self.kind} '{self.label}'")

    @check("write @dataclass(frozen=True) above Params")
    def test_params_are_frozen(self) -> None:
        """Params is a frozen dataclass."""
        declared = getattr(self.plugin.Params, "__dataclass_params__", None)
        refuse_if(declared is None or not declared.frozen, f"{self.plugin.Params.__name__} is no frozen dataclass")

    @check("give the fields of Params defaults that their own types allow")
    def test_params_are_read_from_a_task(self) -> None:
        """The harness reads the parameters from a task file, defaults included."""
        kind, places = self.plugin.Params, ("LOCATIONS", "LIMITS", "FILES", "PATHS")
        files = [name for attribute in places for name in getattr(kind, attribute, ())]
        raw = params_json(self.settings) | {name: getattr(self.settings, name) for name in files}
        try:
            read = make_params(kind, raw, "params")
        except RebecaError as error:
            raise PluginError(f"a task file cannot give these parameters: {error.message}") from error
        refuse_if(
            read != self.settings, f"read from a task file, the parameters become {read}, expected {self.settings}"
        )

    @check("give Params fields of numbers, texts, and tuples or mappings of them; no NaN and no infinity")
    def test_params_are_json(self) -> None:
        """Parameters can be written as JSON, as cache keys hold them."""
        canonical_json(params_json(self.settings))

    @check("return a text that identifies weights or files, or an empty one")
    def test_fingerprint_is_text(self) -> None:
        """The fingerprint is a text."""
        self.ask.answer(lambda: self.plugin.fingerprint(self.settings), "fingerprint", str)

    @check("return a mapping of texts, such as environment() of a rebeca.scorers.ScorerScript, or an empty one")
    def test_environment_is_texts(self) -> None:
        """The versions that records hold are texts, by name."""
        self.ask.versions(lambda: self.plugin.environment(self.settings))

    @check("let class methods answer from params alone: no counters, clocks or random numbers")
    def test_class_methods_answer_alike(self) -> None:
        """Class methods give equal answers whenever they are asked."""
        first, second = self.declared(), self.declared()
        name = first_difference(first, second)
        if name:
            raise PluginError(f"{name} answered {first[name]!r}, then {second[name]!r}")

    @check("import heavy packages inside the methods that use them")
    def test_class_methods_need_no_torch(self) -> None:
        """Neither the module nor its class methods import torch or packages as heavy, so that tasks load fast."""
        module = self.plugin.__module__
        refuse_if(heavy_imports(module), f"importing {module} imports {first_few(heavy_imports(module))} as well")
        imported = set()
        usual = builtins.__import__

        def watch(name: str, *arguments: Any, **options: Any) -> Any:
            imported.add(name.partition(".")[0])
            return usual(name, *arguments, **options)

        with patch.object(builtins, "__import__", watch), patch.object(self.plugin, "check", lambda params: None):
            self.declared()
        heavy = sorted(imported & set(HEAVY))
        refuse_if(heavy, f"a class method imports {first_few(heavy)}")

    @check("raise SpecError for parameters that cannot work, and return None for all others")
    def test_check_accepts_the_params(self) -> None:
        """The method check has nothing against the parameters."""
        answer = self.plugin.check(self.settings)
        refuse_if(answer is not None, f"check returned {answer!r}, expected None")

    @check("mend the error, which the plug-in itself raised")
    def test_it_answers(self) -> None:
        """It can be built, fitted and asked at all."""
        try:
            self.answers()
        except PluginError as error:
            if error.hint == WHERE:  # other faults belong to a check of their own
                raise

    @check("take all randomness from the seeds that are given; sort sets before you loop over them")
    def test_answers_are_repeatable(self) -> None:
        """Built, fitted and asked again, it gives the same answers."""
        first = self.answers()
        with global_seed(1):
            require_equal(first, self.exercise(), "asked again")

    @check("keep no state from one call to the next")
    def test_asking_twice_changes_nothing(self) -> None:
        """The same object gives the same answers when it is asked again."""
        plugin = self.kept()
        require_equal(self.asked(plugin), self.asked(plugin), "asked a second time")

    @check(
        "draw from generators of your own with the seeds that are given, never from numpy.random or random directly;"
        " build a torch network with random weights inside torch.random.fork_rng"
    )
    def test_global_random_state_plays_no_part(self) -> None:
        """The global random state of Python, NumPy and torch changes no answer."""
        first = self.answers()
        with global_seed(2):
            require_equal(first, self.exercise(), "with another global random state")

    @check("use a generator of your own, or torch.random.fork_rng; never call numpy.random.seed or torch.manual_seed")
    def test_global_random_state_is_not_seeded(self) -> None:
        """It does not seed the global random state, on which others may rely."""
        self.answers()  # may import torch
        ends = []
        for seed in (2, 3):
            with global_seed(seed):
                self.exercise()
                ends.append(global_state())
        seeded = [name for name, state in ends[0].items() if ends[1][name] == state]
        refuse_if(seeded, f"it seeded the global random state of {first_few(seeded)}")

    @check("copy an array before you change it")
    def test_inputs_are_not_modified(self) -> None:
        """Arrays that it is given stay as they are."""
        self.answers()
        now, before = self.shared_world.digests(), self._kept["inputs"]
        changed = [name for name, digest in now.items() if before[name] != digest]
        refuse_if(changed, f"it changed its input {first_few(changed)}")

    @check("write below the folder that save is given, or below context.workdir")
    def test_writes_nowhere_else(self) -> None:
        """It writes no file into the current folder, nor beside the folder that it is given."""
        with TemporaryDirectory(prefix="rebeca-") as place, chdir(place):
            self.asked(self.ready(Path(place)))
            stray = sorted(str(path.relative_to(place)) for path in Path(place).rglob("*"))
            allowed = ("given", "workdir")
            stray = [name for name in stray if Path(name).parts[0] not in allowed]
        refuse_if(stray, f"it wrote {first_few(stray)}, outside of the folder that it was given")


def run_contract(contract: type[Contract]) -> Iterator[CheckResult]:
    """Runs all checks of a contract, one after another.

    Args:
        contract: A class that inherits one of the contracts and sets ``plugin``.

    Yields:
        One result per check, in the order of the class.

    Raises:
        MissingDependency: If the plug-in needs a package or weights that are not on this machine.

    Example:
        >>> import numpy as np
        >>> from rebeca import NoParams, Scorer, ScorerCard
        >>> from rebeca.testing import ScorerContract, run_contract
        >>> class Brightness(Scorer[NoParams]):
        ...     @classmethod
        ...     def card(cls, params):
        ...         return ScorerCard("Brightness", "grey level 0 to 255", True, "Mean of the image's pixels.")
        ...     def score(self, images, users):
        ...         return np.array([images.pixels_of(i).mean() for i in range(len(images))])
        >>> class TestBrightness(ScorerContract):
        ...     plugin = Brightness
        >>> {result.status for result in run_contract(TestBrightness)} <= {"passed", "skipped"}
        True
    """
    subject, seen = contract(), dict[str, str]()
    for name in checks_of(contract):
        method = getattr(subject, name)
        title = (method.__doc__ or name).strip().splitlines()[0]
        try:
            method()
        except SkipTest as reason:
            yield CheckResult(name, title, "skipped", str(reason))
        except MissingDependency:
            raise
        except RebecaError as error:
            if error.message in seen:  # nothing else can be learned before this is mended
                yield CheckResult(name, title, "skipped", f"see {seen[error.message]}")
                continue
            seen[error.message] = name
            status: Literal["broken", "stopped"] = "broken" if isinstance(error, ContractBreach) else "stopped"
            yield CheckResult(name, title, status, error.message, error.hint, error.exit_code)
        else:
            yield CheckResult(name, title, "passed")


def checks_of(contract: type[Contract]) -> list[str]:
    """Names of the checks: what the class is, whether it answers, what the kind asks for, and the rest."""
    names = [name for base in reversed(contract.__mro__) for name in vars(base) if name.startswith(PREFIX)]
    shared = [name for name in vars(Contract) if name.startswith(PREFIX)]
    first = shared[: shared.index(ANSWERS) + 1]
    return list(dict.fromkeys([*first, *(name for name in names if name not in shared), *shared]))
