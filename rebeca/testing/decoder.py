"""The contract of decoders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.errors import PluginError
from rebeca.guards import check_image, refuse_if
from rebeca.interfaces import Decoder, GeneratedImage, Request
from rebeca.space import LinearSpace
from rebeca.testing.compare import TOLERANCE, Answers, require_equal
from rebeca.testing.contract import check
from rebeca.testing.drawing import SEED, DrawingContract, called
from rebeca.testing.world import World

PROMPTS = ("a red square", "", "a very long prompt " * 60)


class DecoderContract(DrawingContract):
    """What a decoder must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import Decoder, GeneratedImage, NoParams
        >>> from rebeca.testing import DecoderContract, run_contract
        >>> class Plain(Decoder[NoParams]):
        ...     def decode(self, points, requests):
        ...         for vector, request in zip(self.context.space.inverse(points), requests):
        ...             noise = np.random.default_rng(request.seed).integers(0, 100, (16, 16, 3))
        ...             level = np.clip(100 + 50 * vector[:3], 0, 155).astype(int)
        ...             yield GeneratedImage((noise + level).astype(np.uint8), embedding=vector)
        >>> class TestPlain(DecoderContract):
        ...     plugin = Plain
        >>> [result.name for result in run_contract(TestPlain) if result.broken]
        []
    """

    kind = "decoder"
    base = Decoder

    def context(self, world: World, scale: float = 1.0) -> Any:
        """What the harness gives; points lie in the encoder's space where ``scale`` is 1."""
        return world.decoder_context(_Scaled(scale))

    def declared(self) -> Answers:
        """The answers of all class methods."""
        plugin, settings = self.plugin, self.settings
        answers = {"space": plugin.space(settings), "repeats_with": plugin.repeats_with(settings)}
        return {**super().declared(), **answers, "cut": plugin.cut(settings, PROMPTS)}

    def ready(self, place: Path) -> Any:
        """A decoder after its rehearsal."""
        decoder = self.build()
        decoder.rehearse(None)
        return decoder

    def asked(self, plugin: Any, rows: Sequence[int] | None = None, points: Floats | None = None) -> Answers:
        """Pixels, items and embeddings of the answers, by request."""
        world = self.shared_world
        rows = range(len(world.requests)) if rows is None else rows
        points = world.points if points is None else points
        requests = [world.requests[row] for row in rows]
        return self._all_described(plugin.decode(points[list(rows)], requests), requests)

    def _all_described(self, images: Iterable[GeneratedImage | None], requests: Sequence[Request]) -> Answers:
        pairs = zip(images, requests, strict=True)
        return {name: value for pair in pairs for name, value in self.described(*pair).items()}

    # --- checks

    @check("yield one image, or None, for every point, in the order of the points")
    def test_there_is_one_image_per_point(self) -> None:
        """There is one answer per point."""
        self.answers()

    @check("return uint8 arrays of shape [height, width, 3], with values from 0 to 255")
    def test_images_are_rgb(self) -> None:
        """Images are uint8 RGB."""
        world = self.shared_world
        for image in self.build().inner.decode(world.points, world.requests):
            if image is not None:
                check_image(image, "an image", len(world.dataset.catalogue))

    @check("check what the decoder needs to draw an image; None is for single failures")
    def test_images_come(self) -> None:
        """Most of its answers are images."""
        self.refuse_few_images()

    @check("give the item only where the image is a copy of it: catalogue.pixels(item), unchanged")
    def test_items_are_copies(self) -> None:
        """An image that names an item has the pixels of the item."""
        self.refuse_wrong_items()

    @check("choose among context.candidates.of(user), never among all items")
    def test_items_are_candidates(self) -> None:
        """An item that it chooses is a candidate of the user."""
        world = self.shared_world
        for request in world.requests:
            where = called(request)
            item = self.answers().get(f"the item of {where}")
            allowed = world.candidates.of(world.users.index(request.user))
            refuse_if(item is not None and item not in allowed, f"{where} is item {item}, no candidate of the user")

    @check("give context.space.inverse(points), as float32, or None")
    def test_embeddings_are_in_the_encoders_space(self) -> None:
        """Embeddings lie in the space of the task's encoder, whatever the space of the points."""
        decoder = self.build(self.context(self.shared_world, 2.0))
        points = self.shared_world.points
        images = self.asked(decoder, points=2.0 * points)
        for row, request in enumerate(self.shared_world.requests):
            name = f"the embedding of {called(request)}"
            vector = images.get(name)
            if vector is not None:
                refuse_if(vector.shape != points[row].shape, f"{name} has {len(vector)} numbers")
                require_equal({name: points[row]}, {name: vector}, "in the encoder's space", TOLERANCE)

    @check(SEED)
    def test_users_do_not_depend_on_each_other(self) -> None:
        """A user's images are the same whoever is decoded beside the user, and in whatever order."""
        decoder, groups = self.kept(), self._rows_of_users()
        everything = self.asked(decoder)
        for some in (groups[1::2], groups[:1], groups[::-1]):
            rows = [int(row) for group in some for row in group]
            alone = self.asked(decoder, rows)
            own = {name: everything[name] for name in alone}
            require_equal(own, alone, f"asked for {len(rows)} points", TOLERANCE)

    @check("without points there is nothing to decode")
    def test_no_points_no_images(self) -> None:
        """Without points there are no images."""
        self.asked(self.kept(), [])

    @check("let an image depend on its point")
    def test_points_matter(self) -> None:
        """Other points give other images."""
        decoder, points = self.kept(), self.shared_world.points
        first, second = self.asked(decoder), self.asked(decoder, points=points[::-1].copy())
        same = all(_same(first[name], second[name]) for name in first if name.startswith("image "))
        refuse_if(same, "all images are the same for other points")

    @check("return False only if one user never gets the same image twice in one call")
    def test_repeats_are_declared(self) -> None:
        """Where repeats are excluded, no user gets an image twice."""
        self.ask.answer(lambda: self.plugin.repeats_with(self.settings), "repeats_with", bool)
        if self.plugin.repeats_with(self.settings):
            raise SkipTest("a user may get an image twice")
        points = np.repeat(self.shared_world.points[-1:], len(self.shared_world.requests), axis=0)
        images = self.asked(self.kept(), points=points)
        for group in self._rows_of_users():
            requests = [self.shared_world.requests[int(row)] for row in group]
            own = [images[called(request)] for request in requests]
            pixels = {image.tobytes() for image in own if image is not None}
            refuse_if(len(pixels) < len(own), f"user '{requests[0].user}' got an image twice")

    @check("raise PluginError if the decoder reads no text, or give one image per prompt")
    def test_prompts_give_images_or_are_refused(self) -> None:
        """Prompts give one image each, or a PluginError."""
        requests = self.shared_world.requests[: len(PROMPTS)]
        try:
            answers = list(self.build().inner.decode_prompts(PROMPTS, [""] * len(PROMPTS), requests))
        except PluginError as refused:
            raise SkipTest("it reads no text") from refused
        refuse_if(len(answers) != len(requests), f"{len(answers)} images for {len(requests)} prompts")
        self._all_described(answers, requests)

    @check("return those of the prompts that are too long, or None if this machine cannot tell")
    def test_cut_prompts_are_prompts(self) -> None:
        """Cut returns texts."""
        cut = self.plugin.cut(self.settings, PROMPTS)
        fine = cut is None or (not isinstance(cut, str) and all(isinstance(text, str) for text in cut))
        refuse_if(not fine, f"cut returned {cut!r}, expected prompts or None")

    @check("return the number of images of a batch, at least 1, or None where it does not matter")
    def test_rehearsals_can_be_used_again(self) -> None:
        """What a rehearsal finds can be given to the next one."""
        batch = self.build().rehearse(None)
        fine = batch is None or (isinstance(batch, int) and not isinstance(batch, bool) and batch >= 1)
        refuse_if(not fine, f"rehearse returned {batch!r}")
        again = self.build().rehearse(batch)
        refuse_if(again != batch, f"rehearse({batch}) returned {again!r}")

    @check("return the name of an encoder as a task writes it, or an empty text")
    def test_space_is_a_name(self) -> None:
        """The space is a name."""
        self.ask.answer(lambda: self.plugin.space(self.settings), "space", str)

    def _rows_of_users(self) -> list[Ints]:
        users = [request.user for request in self.shared_world.requests]
        return [np.flatnonzero([user == own for user in users]) for own in dict.fromkeys(users)]


class _Scaled(LinearSpace):
    """A prior's space that is the encoder's space, stretched."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = np.float32(factor)

    def forward(self, embeddings: Floats) -> Floats:
        return super().forward(embeddings) * self._factor

    def inverse(self, points: Floats) -> Floats:
        return super().inverse(points) / self._factor


def _same(first: Any, second: Any) -> bool:
    return first is second or (first is not None and second is not None and np.array_equal(first, second))
