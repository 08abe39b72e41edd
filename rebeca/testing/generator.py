"""The contract of generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest

import numpy as np

from rebeca.declared import GeneratorFlags, generator_flags
from rebeca.guards import refuse_if
from rebeca.interfaces import PRIVILEGES, STEPS, Generator, Request
from rebeca.seeds import canonical_json
from rebeca.testing.compare import TOLERANCE, Answers, require_equal
from rebeca.testing.contract import check
from rebeca.testing.drawing import SEED, DrawingContract
from rebeca.testing.progress import ProgressLog, Stop
from rebeca.testing.world import FIT_SEED, LONELY, SOUR, USERS, World

REPORT = "report.json"
"""A file of the harness in the folder of every fit."""
OTHER_FIT_SEED = 2**63 + 5
ASK = "yield one image, or None, for every request, in the order of the requests"


class GeneratorContract(DrawingContract):
    """What a generator must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import GeneratedImage, Generator, NoParams
        >>> from rebeca.testing import GeneratorContract, run_contract
        >>> class Noise(Generator[NoParams]):
        ...     def fit(self, train):
        ...         pass
        ...     def save(self, folder):
        ...         pass
        ...     def load(self, folder):
        ...         pass
        ...     def generate(self, requests):
        ...         for request in requests:
        ...             rng = np.random.default_rng(request.seed)
        ...             yield GeneratedImage(rng.integers(0, 256, (16, 16, 3), np.uint8))
        >>> class TestNoise(GeneratorContract):
        ...     plugin = Noise
        >>> [result.name for result in run_contract(TestNoise) if result.broken]
        []
    """

    kind = "generator"
    base = Generator

    def context(
        self, world: World, step: str = "generate", workdir: Path = Path("unused"), progress: ProgressLog | None = None
    ) -> Any:
        """What the harness gives in a step."""
        return world.generator_context(self.flags, workdir, step, progress or ProgressLog())

    @property
    def flags(self) -> GeneratorFlags:
        """What the generator declares."""
        return generator_flags(self.plugin, self.settings, self.label)

    def declared(self) -> Answers:
        """The answers of all class methods."""
        plugin, settings = self.plugin, self.settings
        names = (
            "needs",
            "fit_parameters",
            "fit_varies",
            "decodes_in",
            "reads_captions",
            "claims_personal",
            "needs_repeats",
            "prompts",
            "notes",
        )
        return {**super().declared(), **{name: getattr(plugin, name)(settings) for name in names}}

    def ready(self, place: Path, fit_seed: int = FIT_SEED) -> Any:
        """A generator that was fitted with a seed, saved, and loaded in a new object."""
        folder, workdir = place / "given", place / "workdir"
        folder.mkdir()
        workdir.mkdir(exist_ok=True)
        self.fit(workdir, fit_seed=fit_seed).save(folder)
        context = self.context(self.shared_world, "generate", workdir)
        generator = self.build(replace(context, fit_seed=fit_seed))
        generator.load(folder)
        return generator

    def fit(self, workdir: Path, progress: ProgressLog | None = None, fit_seed: int = FIT_SEED) -> Any:
        """A generator that was fitted in this object."""
        context = self.context(self.shared_world, "fit", workdir, progress)
        generator = self.build(replace(context, fit_seed=fit_seed))
        generator.fit(self.shared_world.division.generators.train)
        return generator

    def fitted(self) -> tuple[Any, ProgressLog]:
        """A generator in the object that was fitted, for checks that only ask, and the progress of its fit."""

        def make() -> tuple[Any, ProgressLog]:
            workdir, log = self.place / "fitted", ProgressLog()
            workdir.mkdir()
            return self.fit(workdir, log), ProgressLog(calls=log.calls.copy())  # not what it reports when it is asked

        return self.once("fitted", make)

    def asked(self, plugin: Any, requests: Sequence[Request] | None = None) -> Answers:
        """Pixels, items and embeddings of the answers, by request; refuses too few and too many of them."""
        requests = self.shared_world.requests if requests is None else requests
        answers: dict[str, Any] = {}
        count = 0
        for count, image in enumerate(plugin.generate(requests), start=1):
            refuse_if(count > len(requests), f"generate gave more than {len(requests)} answers")
            answers |= self.described(image, requests[count - 1])
        refuse_if(count < len(requests), f"generate gave {count} answers to {len(requests)} requests")
        return answers

    # --- what it says of itself

    @check(f"return a set of names out of {', '.join(PRIVILEGES)}")
    def test_needs_are_privileges(self) -> None:
        """Its needs are known privileges."""
        self.ask.names(lambda: self.plugin.needs(self.settings), "needs", PRIVILEGES)

    @check("return names of fields of Params")
    def test_fit_parameters_are_fields(self) -> None:
        """fit_parameters names fields of Params."""
        known = list(self.plugin.Params.__dataclass_fields__)
        self.ask.names(lambda: self.plugin.fit_parameters(self.settings), "fit_parameters", known)

    @check(f"return a set of names out of {', '.join(STEPS)}")
    def test_decodes_in_names_steps(self) -> None:
        """decodes_in names steps."""
        self.ask.names(lambda: self.plugin.decodes_in(self.settings), "decodes_in", STEPS)

    @check("return True or False; family is a text, privileged_at 'fit' or 'generate'")
    def test_declarations_have_their_types(self) -> None:
        """What it declares of itself has the types that leaderboards expect."""
        for name in ("fit_varies", "reads_captions", "claims_personal", "needs_repeats"):
            self.ask.answer(lambda name=name: getattr(self.plugin, name)(self.settings), name, bool)  # type: ignore[misc]
        self.ask.checked(self.plugin.family, "family", str)
        self.ask.checked(self.plugin.privileged_at, "privileged_at", str, STEPS)
        for name in ("prompts", "notes"):
            texts = self.ask.answer(lambda name=name: getattr(self.plugin, name)(self.settings), name, Sequence)  # type: ignore[misc]
            refuse_if(
                isinstance(texts, str) or not all(isinstance(text, str) for text in texts), f"{name} are no texts"
            )

    # --- what it answers

    @check(ASK)
    def test_there_is_one_image_per_request(self) -> None:
        """It gives one answer per request."""
        requests = self.shared_world.requests
        count = sum(1 for _ in self.kept().generate(requests))
        refuse_if(count != len(requests), f"generate gave {count} answers to {len(requests)} requests")

    @check("return uint8 arrays of shape [height, width, 3], with values from 0 to 255")
    def test_images_are_rgb(self) -> None:
        """Images are uint8 RGB, and not all alike in colour."""
        blank = [name for name, image in self.drawn().items() if np.ptp(image, axis=(0, 1)).max() <= 2]
        new = [name for name in blank if self.answers()[f"the item of {name}"] is None]
        refuse_if(new, f"{len(new)} images are blank, the first is {new[0] if new else ''}")

    @check("check what the generator needs to draw an image; None is for single failures")
    def test_images_come(self) -> None:
        """Most of its answers are images."""
        self.refuse_few_images()

    @check("give the item only where the image is a copy of it: catalogue.pixels(item), unchanged")
    def test_items_are_copies(self) -> None:
        """An image that names an item has the pixels of the item."""
        self.refuse_wrong_items()

    @check("give the vector in the space of the task's encoder, or None")
    def test_embeddings_are_of_the_encoder(self) -> None:
        """Embeddings have as many numbers as those of the task's encoder."""
        wanted = self.shared_world.embeddings.shape[1]
        for name, vector in self.answers().items():
            if name.startswith("the embedding") and vector is not None:
                refuse_if(len(vector) != wanted, f"{name} has {len(vector)} numbers, the encoder's have {wanted}")

    @check(SEED)
    def test_users_do_not_depend_on_each_other(self) -> None:
        """A user's images are the same whoever is asked for beside the user, and in whatever order."""
        generator, requests = self.kept(), self.shared_world.requests
        users, everything = list(dict.fromkeys(request.user for request in requests)), self.asked(generator)
        for some in (users[1::2], users[:1], users[::-1]):
            asked = [request for user in some for request in requests if request.user == user]
            alone = self.asked(generator, asked)
            what = f"asked for {len(some)} users in another order" if len(some) > 1 else "asked for one user alone"
            require_equal({name: everything[name] for name in alone}, alone, what, TOLERANCE)

    @check("an empty list of requests has an empty answer")
    def test_no_requests_no_images(self) -> None:
        """Without requests there are no images."""
        self.asked(self.kept(), [])

    @check("treat users without training ratings, or without likes, as somebody about whom nothing is known")
    def test_users_without_likes_are_served(self) -> None:
        """Users without ratings or likes get answers as well, and so do users with odd names."""
        names = [USERS[LONELY], USERS[SOUR]] if self.shared_world.users == USERS else []
        if not names:
            raise SkipTest("its own world has no such users")
        missing = [user for user in names if self.answers()[f"image 0 of user '{user}'"] is None]
        refuse_if(missing, f"user '{missing[0] if missing else ''}' got None")

    # --- how it is fitted

    @check("write all that fit learned in save, and read it in load")
    def test_loaded_generators_answer_alike(self) -> None:
        """A new object that loads a fit gives the images of the object that was fitted."""
        if "generate" in self.flags.decodes_in and "fit" not in self.flags.decodes_in:
            raise SkipTest("the fitted object may not decode")
        require_equal(self.asked(self.fitted()[0]), self.answers(), "after save and load")

    @check("let fit_varies(params) return True where the fit draws random numbers")
    def test_fits_that_do_not_vary_are_equal(self) -> None:
        """If fits do not vary, one with another seed gives the same images."""
        if self.flags.fit_varies:
            raise SkipTest("its fits may vary")
        with TemporaryDirectory(prefix="rebeca-") as place:
            other = self.ready(Path(place), OTHER_FIT_SEED)
            require_equal(self.answers(), self.asked(other), "fitted with another seed")

    @check(f"call the file otherwise than {REPORT}")
    def test_save_leaves_the_harness_its_file(self) -> None:
        """Save writes no file with the name of the harness's report."""
        self.kept()
        refuse_if((self.place / "given" / REPORT).exists(), f"save wrote {REPORT}, which the harness writes")

    @check("return numbers, texts, lists and mappings; no NaN, no arrays, no NumPy numbers")
    def test_report_is_json(self) -> None:
        """The report about a fit can be written as JSON."""
        report = self.fitted()[0].report()
        refuse_if(not isinstance(report, Mapping), "report is no mapping")
        canonical_json(report)

    @check("call progress(done, total, note) with 0 <= done <= total, and never with less than before")
    def test_progress_counts_up(self) -> None:
        """Progress is counted up to its total."""
        self.fitted()[1].check()

    @check("keep checkpoints below context.workdir so that a fit goes on as if nothing had happened, or keep none")
    def test_interrupted_fits_end_alike(self) -> None:
        """A fit that was interrupted, and is run again in the same folder, gives the same images."""
        log = ProgressLog(stop_at=2)
        with TemporaryDirectory(prefix="rebeca-") as place:
            (Path(place) / "workdir").mkdir()
            try:
                self.fit(Path(place) / "workdir", log)
            except Stop:
                require_equal(self.asked(self.ready(Path(place))), self.answers(), "after an interrupted fit")
                return
        raise SkipTest("it reports no progress during the fit")
