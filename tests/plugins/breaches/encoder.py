"""Broken encoders."""

import itertools
from dataclasses import dataclass

import numpy as np

from rebeca import Encoder
from rebeca.testing import EncoderContract
from tests.plugins.breaches import answers, breach, raises

CLOCK = itertools.count()


@dataclass(frozen=True)
class RightParams:
    scale: float = 1.0


@dataclass(frozen=True)
class WrongParams:
    scale: float = float("nan")


class Right(Encoder[RightParams]):
    Params = RightParams
    ARGUMENT = "scale"

    @property
    def dim(self):
        return 3

    def encode(self, images, items=None):
        return np.array([self.params.scale * image.mean(axis=(0, 1)) for image in images], np.float32)


def encoded(change):
    return lambda self, images, items=None: change(Right.encode(self, images, items))


def darkened(self, images, items=None):
    for image in images:
        image //= 2
    return Right.encode(self, images, items)


def counted(self, images, items=None):
    self.calls = getattr(self, "calls", 0) + 1
    return Right.encode(self, images, items) * np.float32(self.calls)


def by_item(self, images, items=None):
    return Right.encode(self, images, items) * (1 if items is None else 2)


def square(self, images, items=None):
    side = [np.arange(8) * (len(image) // 8 or 1) for image in images]
    return np.array(
        [image[rows][:, rows].mean(axis=(0, 1)) for image, rows in zip(images, side, strict=True)], np.float32
    )


def too_thin(self, images, items=None):
    if any(min(image.shape[:2]) < 2 for image in images):
        raise ValueError("an image is too thin")
    return Right.encode(self, images, items)


CONTRACT = EncoderContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", encode=raises),
    breach("it_answers", "IndexError", encode=square),
    breach("it_answers", "ValueError: an image is too thin", encode=too_thin),
    breach("it_answers", "read-only", encode=darkened),
    breach("class_is_complete", "does not define encode", encode=Encoder.encode),
    breach("params_are_read_from_a_task", "a task file cannot give these parameters", Params=WrongParams),
    breach("fingerprint_is_text", "fingerprint is 7, expected str", fingerprint=answers(7)),
    breach(
        "class_methods_answer_alike",
        "fingerprint answered",
        fingerprint=classmethod(lambda cls, params: str(next(CLOCK))),
    ),
    breach("check_accepts_the_params", "check returned True", check=answers(True)),
    breach("dim_is_a_number", "dim is 'many'", dim="many"),
    breach(
        "there_is_one_embedding_per_image",
        r"returned \[6, 3\] numbers, expected \[7, 3\]",
        encode=encoded(lambda x: x[1:]),
    ),
    breach("there_is_one_embedding_per_image", "returned nan", encode=encoded(lambda x: x * np.nan)),
    breach("embeddings_are_float32", "returned float64", encode=encoded(lambda x: x.astype(float))),
    breach("images_do_not_depend_on_each_other", "with other images", encode=encoded(lambda x: x - x.mean(axis=0))),
    breach("items_may_be_unknown", "with items of None", encode=by_item),
    breach("different_images_differ", "all images have the same embedding", encode=encoded(lambda x: x * 0)),
    breach("argument_is_a_field", "ARGUMENT is 'size'", ARGUMENT="size"),
    breach("declarations_have_their_types", "learns is 'no'", learns=answers("no")),
    breach(
        "it_says_that_it_learns", "a fit is defined, and learns is False", fit=lambda self, images, items, seed: None
    ),
    breach("it_says_that_it_learns", "no fit is defined, and learns is True", learns=answers(True)),
    breach("asking_twice_changes_nothing", "asked a second time", encode=counted),
    breach(
        "global_random_state_plays_no_part",
        "another global random state",
        encode=encoded(lambda x: x + np.random.random(x.shape).astype(np.float32)),
    ),
]
