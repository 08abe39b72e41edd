"""Broken generators."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rebeca import GeneratedImage, Generator
from rebeca.testing import GeneratorContract
from tests.plugins.breaches import answers, breach, raises


@dataclass(frozen=True)
class RightParams:
    number: int = 2


@dataclass
class LooseParams:
    number: int = 2


class Right(Generator[RightParams]):
    Params = RightParams

    @classmethod
    def decodes_in(cls, params):
        return frozenset()

    @classmethod
    def fit_varies(cls, params):
        return False

    def fit(self, train):
        self.context.progress(0, 2, "likes")
        self.likes = np.bincount(train.user, train.liked, train.num_users).tolist()
        self.context.progress(1, 2, "likes")
        self.context.progress(2, 2, "likes")

    def save(self, folder):
        (folder / "likes.json").write_text(json.dumps(self.likes))

    def load(self, folder):
        self.likes = json.loads((folder / "likes.json").read_text())

    def level(self, request):
        return self.likes[self.context.users.index(request.user)]

    def image(self, request):
        if request.replicate == 0:
            item = int(self.context.candidates.of(self.context.users.index(request.user))[0])
            return GeneratedImage(self.context.catalogue.pixels(item), self.context.embeddings[item], item)
        noise = np.random.default_rng(request.seed).integers(0, 200, (8, 8, 3))
        return GeneratedImage((noise + self.level(request)).astype(np.uint8))

    def generate(self, requests):
        for request in requests:
            yield self.image(request)


def changed(**values):
    """An image of the right generator with other values."""
    return lambda self, request: replace(Right.image(self, request), **values)


def converted(kind):
    return lambda self, request: replace(
        Right.image(self, request), pixels=Right.image(self, request).pixels.astype(kind)
    )


def fewer(self, requests):
    return (self.image(request) for request in requests[1:])


def from_global_state(self, request):
    return GeneratedImage(np.random.randint(0, 256, (8, 8, 3)).astype(np.uint8))


def seeded(self, train):
    np.random.seed(0)
    Right.fit(self, train)


def item_of_other_pixels(self, request):
    image = Right.image(self, request)
    return image if image.item is None else replace(image, pixels=255 - image.pixels)


def crowded(self, requests):
    for request in requests:
        yield GeneratedImage(np.random.default_rng(request.seed + len(requests)).integers(0, 256, (8, 8, 3), np.uint8))


def counted(self, requests):
    self.calls = getattr(self, "calls", 0) + 1
    for request in requests:
        yield GeneratedImage(np.random.default_rng(request.seed + self.calls).integers(0, 256, (8, 8, 3), np.uint8))


def first_of_batch(self, requests):
    seed = requests[0].seed
    return iter([GeneratedImage(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8))] * len(requests))


def lucky(self, train):
    Right.fit(self, train)
    self.likes = np.random.default_rng(self.context.fit_seed).permutation(self.likes).tolist()


def greedy(self, train):
    train.rating[:] = 0
    Right.fit(self, train)


def littering(self, folder):
    Path("notes.txt").write_text("fitted")
    Right.save(self, folder)


def beside(self, folder):
    (folder.parent / "notes.txt").write_text("fitted")
    Right.save(self, folder)


def reporting(self, folder):
    (folder / "report.json").write_text("{}")
    Right.save(self, folder)


def no_stranger(self, request):
    return Right.image(self, request) if self.level(request) else None


def backwards(self, train):
    Right.fit(self, train)
    self.context.progress(1, 2, "likes")


def resuming(self, train):
    path = self.context.workdir / "likes.json"
    if path.exists():
        self.likes = json.loads(path.read_text())
    else:
        path.write_text(json.dumps([1] * train.num_users))
        Right.fit(self, train)


CONTRACT = GeneratorContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", fit=raises),
    breach("class_is_complete", "does not define generate", generate=Generator.generate),
    breach("params_are_frozen", "LooseParams is no frozen dataclass", Params=LooseParams),
    breach(
        "class_methods_need_no_torch",
        "imports torch",
        fingerprint=classmethod(lambda cls, p: __import__("torch").__name__),
    ),
    breach("needs_are_privileges", "needs names 'gold'", needs=answers({"gold"})),
    breach("fit_parameters_are_fields", "fit_parameters names 'speed'", fit_parameters=answers({"speed"})),
    breach("decodes_in_names_steps", "decodes_in names 'later'", decodes_in=answers({"later"})),
    breach("declarations_have_their_types", "claims_personal is 'yes'", claims_personal=answers("yes")),
    breach("declarations_have_their_types", "notes are no texts", notes=answers("one text")),
    breach("declarations_have_their_types", "fit_varies is None", fit_varies=answers(None)),
    breach("there_is_one_image_per_request", "gave 23 answers to 24 requests", generate=fewer),
    breach("images_are_rgb", "expected uint8 RGB .* got float64", image=converted(np.float64)),
    breach("images_come", "24 of 24 images are None", image=lambda self, request: None),
    breach("items_are_copies", "names item .* its pixels are others", image=item_of_other_pixels),
    breach(
        "embeddings_are_of_the_encoder", "has 3 numbers, the encoder's have 8", image=changed(embedding=np.zeros(3))
    ),
    breach("users_do_not_depend_on_each_other", "asked for", generate=crowded),
    breach(
        "users_do_not_depend_on_each_other",
        "asked for",
        generate=lambda self, requests: first_of_batch(self, requests) if requests else iter(()),
    ),
    breach("asking_twice_changes_nothing", "asked a second time, image", generate=counted),
    breach("no_requests_no_images", "IndexError", generate=first_of_batch),
    breach("users_without_likes_are_served", "user 'lonely' got None", image=no_stranger),
    breach(
        "loaded_generators_answer_alike",
        "after save and load, image",
        load=lambda self, folder: setattr(self, "likes", [9] * 8),
    ),
    breach("save_leaves_the_harness_its_file", "wrote report.json", save=reporting),
    breach("report_is_json", "Out of range float values", report=lambda self: {"loss": float("nan")}),
    breach("fits_that_do_not_vary_are_equal", "fitted with another seed, image", fit=lucky),
    breach("progress_counts_up", "counted from 2 back to 1", fit=backwards),
    breach("interrupted_fits_end_alike", "after an interrupted fit, image", fit=resuming),
    breach("global_random_state_plays_no_part", "with another global random state, image", image=from_global_state),
    breach("global_random_state_is_not_seeded", "seeded the global random state of numpy.random", fit=seeded),
    breach("inputs_are_not_modified", r"changed its input .*training ratings \(rating\)", fit=greedy),
    breach("writes_nowhere_else", "wrote notes.txt", save=littering),
    breach("writes_nowhere_else", "wrote notes.txt", save=beside),
]
