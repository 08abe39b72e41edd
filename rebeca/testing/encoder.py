"""The contract of encoders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.guards import refuse_if
from rebeca.interfaces import Encoder, EncoderContext
from rebeca.testing.compare import TOLERANCE, Answers, require_equal
from rebeca.testing.contract import Contract, check
from rebeca.testing.world import AWKWARD, FIT_SEED, World

ROW = "encode every image by itself, without looking at the others"


class EncoderContract(Contract):
    """What an encoder must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import Encoder, NoParams
        >>> from rebeca.testing import EncoderContract, run_contract
        >>> class MeanColour(Encoder[NoParams]):
        ...     @property
        ...     def dim(self):
        ...         return 3
        ...     def encode(self, images, items=None):
        ...         return np.array([image.mean(axis=(0, 1)) for image in images], np.float32)
        >>> class TestMeanColour(EncoderContract):
        ...     plugin = MeanColour
        >>> [result.name for result in run_contract(TestMeanColour) if result.broken]
        []
    """

    kind = "encoder"
    base = Encoder

    def context(self, world: World) -> Any:
        """What the harness gives; an encoder that needs another below it is given the world's."""
        return EncoderContext("cpu", world.encoder if self.plugin.TAKES_ENCODER else None)

    def declared(self) -> Answers:
        """The answers of all class methods."""
        names = ("space", "learns")
        return {**super().declared(), **{name: getattr(self.plugin, name)(self.settings) for name in names}}

    def images(self) -> Sequence[Pixels]:
        """What is encoded; override it for an encoder that knows its own images only, together with :meth:`items`."""
        return AWKWARD

    def items(self) -> Sequence[int | None] | None:
        """Index of every image in the catalogue."""
        return None

    def ready(self, place: Path) -> Any:
        """An encoder that has learned, where it learns: as the harness does, from training items only."""
        encoder, world = self.build(), self.shared_world
        if self.plugin.learns(self.settings):
            items = np.flatnonzero(world.division.training_items).tolist()
            encoder.fit([world.dataset.catalogue.pixels(i) for i in items], items, FIT_SEED)
        return encoder

    def encode(self, encoder: Any, rows: Sequence[int] | None = None) -> Floats:
        """Embeddings of some of the images, float32 [n, dim]."""
        images, items = self.images(), self.items()
        rows = range(len(images)) if rows is None else rows
        given = [_read_only(images[row]) for row in rows]
        vectors: Floats = encoder.encode(given, None if items is None else [items[row] for row in rows])
        return vectors

    def asked(self, plugin: Any) -> Answers:
        """Embeddings of all images."""
        return {"an embedding": self.encode(plugin)}

    # --- checks

    @check("return a positive whole number; after fit, the length of what encode returns")
    def test_dim_is_a_number(self) -> None:
        """Dim is the length of an embedding."""
        refuse_if(self.kept().dim < 1, "dim is below 1")

    @check("return a NumPy array [n, dim], without NaN and infinities")
    def test_there_is_one_embedding_per_image(self) -> None:
        """There is one finite embedding of dim numbers per image."""
        self.encode(self.kept())

    @check("convert with .astype(np.float32)")
    def test_embeddings_are_float32(self) -> None:
        """Embeddings are float32."""
        encoder = self.kept().inner
        dtype = self.encode(encoder).dtype
        refuse_if(dtype != np.float32, f"encode returned {dtype}, expected float32")

    @check(ROW)
    def test_images_do_not_depend_on_each_other(self) -> None:
        """An embedding is the same whatever images are beside it, and in whatever order."""
        encoder = self.kept()
        everything = self.encode(encoder)
        for rows in ([0], [2, 2, 1], list(range(len(everything)))[::-1]):
            some = self.encode(encoder, rows)
            require_equal({"an embedding": everything[rows]}, {"an embedding": some}, "with other images", TOLERANCE)

    @check("scale or crop images to the size that the encoder needs; a side may be one pixel long")
    def test_images_of_any_size_are_encoded(self) -> None:
        """Images of one pixel, and very wide and very high ones, are encoded."""
        encoder = self.kept()
        for row in range(len(self.images())):
            self.encode(encoder, [row])

    @check("copy an image before you change it: the harness gives read-only arrays")
    def test_read_only_images_are_encoded(self) -> None:
        """Images that must not be written to are encoded."""
        encoder = self.kept()
        given = [_read_only(image) for image in self.images()]
        items = self.items()
        encoder.encode(given, None if items is None else list(items))

    @check("an image of no item has the index None, and is encoded from its pixels")
    def test_items_may_be_unknown(self) -> None:
        """Whether items are left out or unknown makes no difference."""
        if self.items() is not None:
            raise SkipTest("it encodes items only")
        encoder, images = self.kept(), list(AWKWARD)
        unknown: list[int | None] = [None] * len(images)
        first, second = encoder.encode(images), encoder.encode(images, unknown)
        require_equal({"an embedding": first}, {"an embedding": second}, "with items of None", TOLERANCE)

    @check("encode what images show: different images need different embeddings")
    def test_different_images_differ(self) -> None:
        """Not all images have the same embedding."""
        vectors = self.encode(self.kept())
        refuse_if(np.allclose(vectors, vectors[:1], rtol=0, atol=0), "all images have the same embedding")

    @check("name a field of Params, or None where no text may stand after the colon")
    def test_argument_is_a_field(self) -> None:
        """ARGUMENT names a field of Params."""
        argument, known = self.plugin.ARGUMENT, list(self.plugin.Params.__dataclass_fields__)
        refuse_if(argument is not None and argument not in known, f"ARGUMENT is {argument!r}, fields are {known}")
        refuse_if(not isinstance(self.plugin.TAKES_ENCODER, bool), "TAKES_ENCODER is neither True nor False")

    @check("return the name of an encoder with the same space, or an empty text; True or False for learns")
    def test_declarations_have_their_types(self) -> None:
        """What it declares of itself has the types that the harness expects."""
        self.ask.answer(lambda: self.plugin.space(self.settings), "space", str)
        self.ask.answer(lambda: self.plugin.learns(self.settings), "learns", bool)

    @check("define fit, and return True from learns(params)")
    def test_it_says_that_it_learns(self) -> None:
        """An encoder that defines fit says that it learns."""
        defines = self.plugin.fit is not Encoder.fit
        refuse_if(
            defines != self.plugin.learns(self.settings),
            f"{'a fit is' if defines else 'no fit is'} defined, and learns is {self.plugin.learns(self.settings)}",
        )


def _read_only(image: Pixels) -> Pixels:
    view = image.view()
    view.setflags(write=False)
    return view
