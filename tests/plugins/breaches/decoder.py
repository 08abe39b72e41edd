"""Broken decoders."""

from dataclasses import replace

import numpy as np

from rebeca import Decoder, GeneratedImage, NoParams
from rebeca.testing import DecoderContract
from tests.plugins.breaches import answers, breach, raises


class Right(Decoder[NoParams]):
    def image(self, vector, request):
        noise = np.random.default_rng(request.seed).integers(0, 100, (8, 8, 3))
        level = np.clip(75 + 75 * vector[:3], 0, 150)
        return GeneratedImage((noise + level).astype(np.uint8), vector)

    def decode(self, points, requests):
        vectors = self.context.space.inverse(points)
        return [self.image(vector, request) for vector, request in zip(vectors, requests, strict=True)]


def decoded(change):
    return lambda self, points, requests: change(Right.decode(self, points, requests))


def changed(**values):
    return lambda self, vector, request: replace(Right.image(self, vector, request), **values)


def item(choose, copy=True):
    def image(self, vector, request):
        index = int(choose(self.context, request))
        pixels = self.context.catalogue.pixels(index)
        return GeneratedImage(pixels if copy else 255 - pixels, vector, index)

    return image


def candidate(context, request):
    return context.candidates.of(context.candidates.user_ids.index(request.user))[request.replicate]


def no_candidate(context, request):
    return np.flatnonzero(~context.candidates.of_block[0])[0]


def crowded(self, points, requests):
    return Right.decode(self, points / (1 + len(points)), requests)


def counted(self, points, requests):
    self.calls = getattr(self, "calls", 0) + 1
    return Right.decode(self, points / self.calls, requests)


def drawn(self, vector, request):
    return GeneratedImage(np.random.randint(0, 256, (8, 8, 3)).astype(np.uint8), vector)


def unmapped(self, points, requests):
    return [self.image(vector, request) for vector, request in zip(points, requests, strict=True)]


def clipped(self, points, requests):
    points[:] = np.clip(points, -1, 1)
    return Right.decode(self, points, requests)


def blind(self, vector, request):
    return replace(Right.image(self, 0 * vector, request), embedding=vector)


def mixed(self, points, requests):
    order = np.argsort([request.user for request in requests], kind="stable")
    return [Right.decode(self, points, requests)[i] for i in order]


CONTRACT = DecoderContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", decode=raises),
    breach("class_is_complete", "does not define decode", decode=Decoder.decode),
    breach(
        "there_is_one_image_per_point", "returned 23 images for 24 requests", decode=decoded(lambda images: images[1:])
    ),
    breach("there_is_one_image_per_point", "returned more than 24 images", decode=decoded(lambda images: images * 2)),
    breach(
        "there_is_one_image_per_point",
        "returned a ndarray, expected",
        decode=decoded(lambda images: [image.pixels for image in images]),
    ),
    breach("images_are_rgb", r"expected uint8 RGB .* got float64", image=changed(pixels=np.zeros((8, 8, 3)))),
    breach("images_are_rgb", r"got uint8 \[8, 8\]", image=changed(pixels=np.zeros((8, 8), np.uint8))),
    breach("images_come", "24 of 24 images are None", image=lambda self, vector, request: None),
    breach("items_are_copies", "its pixels are others", image=item(candidate, copy=False)),
    breach("items_are_candidates", "no candidate of the user", image=item(no_candidate)),
    breach("embeddings_are_in_the_encoders_space", "in the encoder's space", decode=unmapped),
    breach("users_do_not_depend_on_each_other", "asked for", decode=crowded),
    breach("users_do_not_depend_on_each_other", "asked for", decode=mixed),
    breach("asking_twice_changes_nothing", "asked a second time", decode=counted),
    breach(
        "no_points_no_images",
        "ValueError",
        decode=lambda self, points, requests: Right.decode(self, points + 0 * points.max(), requests),
    ),
    breach("points_matter", "all images are the same for other points", image=blind),
    breach(
        "repeats_are_declared",
        "got an image twice",
        repeats_with=answers(False),
        image=lambda self, vector, request: replace(Right.image(self, vector, replace(request, seed=1))),
    ),
    breach("repeats_are_declared", "repeats_with is 1, expected bool", repeats_with=answers(1)),
    breach(
        "prompts_give_images_or_are_refused",
        "0 images for 3 prompts",
        decode_prompts=lambda self, prompts, negative, requests: [],
    ),
    breach("cut_prompts_are_prompts", "cut returned 'none'", cut=answers("none")),
    breach("rehearsals_can_be_used_again", "rehearse returned 0", rehearse=lambda self, batch=None: 0),
    breach(
        "rehearsals_can_be_used_again",
        r"rehearse\(8\) returned 4",
        rehearse=lambda self, batch=None: (batch or 16) // 2,
    ),
    breach("space_is_a_name", "space is None, expected str", space=answers(None)),
    breach("global_random_state_plays_no_part", "another global random state", image=drawn),
    breach("inputs_are_not_modified", "changed its input points", decode=clipped),
]
