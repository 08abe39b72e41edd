"""Near-copies are found after common alterations and whatever the items are; images of the same kind rarely count."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rebeca.errors import DataError
from rebeca.images import read_images
from rebeca.scorers import CopyIndex
from rebeca.scorers import copies as module
from rebeca.scorers.copies import LEVELS, RATIOS, share_of_near_copies


def pictures(count, seed=0, size=48):
    """Smooth coloured noise with the spectrum of photographs: low frequencies are stronger."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        layers = [rng.normal(size=(cells, cells, 3)) * 70 / np.sqrt(cells) for cells in (1, 2, 4, 8, 16)]
        large = [np.stack([resized(layer[..., c], size) for c in range(3)], axis=2) for layer in layers]
        pictures.append(np.clip(np.sum(large, axis=0) + 127, 0, 255).astype(np.uint8))
    return pictures


def resized(values, size):
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))


ITEMS, OTHERS = pictures(250), pictures(250, seed=1)
INDEX = CopyIndex(ITEMS)


def changed(image, difference):
    return np.clip(image.astype(int) + difference, 0, 255).astype(np.uint8)


def noise(image, rng):
    return changed(image, rng.integers(-8, 9, image.shape))


def signs(image, rng):
    return changed(image, rng.choice([-8, 8], image.shape))


def crop(image, rng):
    left, top = rng.integers(0, 5, 2)
    return np.asarray(Image.fromarray(image[top : top + 43, left : left + 43]).resize((48, 48)))


def mirror(image, rng):
    return image[:, ::-1]


def hue(image, rng):
    turned = np.array(Image.fromarray(image).convert("HSV"))
    turned[..., 0] += 7  # of 256, about 10 degrees
    return np.asarray(Image.fromarray(turned, "HSV").convert("RGB"))


def jpeg(image, rng):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=50)
    return np.asarray(Image.open(file))


def half(image, rng):
    return np.asarray(Image.fromarray(image).resize((24, 24)).resize((48, 48)))


@pytest.mark.parametrize("alter", [noise, signs, crop, mirror, hue, jpeg, half])
def test_altered_copies_are_found(alter):
    rng = np.random.default_rng(3)
    altered = [alter(image, rng) for image in ITEMS[:100]]
    assert INDEX.near_copies(altered).mean() >= 0.95
    assert (INDEX.nearest(altered).item == np.arange(100)).mean() >= 0.95


def test_other_images_of_the_same_kind_rarely_count():
    assert INDEX.near_copies(OTHERS).mean() <= 0.01


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 249), st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 12, 48]), st.booleans())
def test_changes_by_eight_levels_are_always_found(item, seed, cells, mirrored):
    """Whatever their pattern, as Bessel's inequality says; 48 / cells pixels share a change."""
    change = (
        np.random.default_rng(seed).integers(-8, 9, (cells, cells, 3)).repeat(48 // cells, 0).repeat(48 // cells, 1)
    )
    image = changed(ITEMS[item], change)
    nearest = INDEX.nearest([image[:, ::-1] if mirrored else image])
    assert INDEX.limits.levels == LEVELS[1] and nearest.levels[0] <= 8 * (1 + 1e-6)


small = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**16)), min_size=1, max_size=7).map(
    lambda drawn: [np.random.default_rng(s).integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w, s in drawn]
)


@settings(max_examples=30, deadline=None)
@given(small, st.randoms(use_true_random=False))
def test_items_find_themselves_in_any_order_and_any_size(items, random):
    index = CopyIndex(items)
    assert index.near_copies(items).all() and index.nearest(items).levels.max() < 1e-6
    assert (index.nearest(items).ratio >= 0).all() and (index.nearest(items).ratio <= 1).all()
    order = random.sample(range(len(items)), len(items))
    turned = CopyIndex([items[i] for i in order])
    assert turned.limits == index.limits
    asked = [*items, np.zeros((1, 1, 3), np.uint8), OTHERS[0], OTHERS[1][:9]]
    assert turned.near_copies(asked).tolist() == index.near_copies(asked).tolist()
    np.testing.assert_array_equal(turned.nearest(asked).ratio, index.nearest(asked).ratio)


def test_images_are_answered_alike_whatever_stands_beside_them(monkeypatch):
    asked = [*OTHERS[:20], *ITEMS[:20]]
    together = INDEX.nearest(asked)
    alone = [INDEX.nearest([image]) for image in asked]
    monkeypatch.setattr(module, "IMAGES_PER_BATCH", 7)
    monkeypatch.setattr(module, "ITEMS_PER_BATCH", 3)
    for nearest in (INDEX.nearest(asked), *alone):
        assert set(nearest.ratio) <= set(together.ratio) and set(nearest.levels) <= set(together.levels)
    np.testing.assert_array_equal(np.concatenate([each.ratio for each in alone]), together.ratio)
    assert CopyIndex(ITEMS).limits == INDEX.limits


def test_equal_items_count_once():
    """Otherwise five ids of one picture would be its own fifth nearest, and copies of it would not be found."""
    repeated = CopyIndex([image for image in ITEMS[:40] for _ in range(6)])
    assert len(repeated) == 40 and repeated.limits == CopyIndex(ITEMS[:40]).limits
    rng = np.random.default_rng(0)
    assert repeated.near_copies([crop(image, rng) for image in ITEMS[:40]]).mean() >= 0.95
    assert repeated.nearest(ITEMS[:3]).item.tolist() == [0, 6, 12]


def test_near_copies_among_the_items_do_not_hide_others():
    rng = np.random.default_rng(0)
    index = CopyIndex([*ITEMS, *(noise(image, rng) for image in ITEMS[-2:])])
    assert index.limits.ratio == RATIOS[0] and LEVELS[0] <= index.limits.levels < 4
    for alter in (noise, crop, hue):
        assert index.near_copies([alter(image, rng) for image in ITEMS[:100]]).mean() >= 0.95


def test_items_that_are_alike_by_kind_are_no_copies_of_each_other():
    """Small squares of two colours: many lie nearly where another one does."""
    squares = []
    for left, top, colour in np.random.default_rng(0).integers((0, 0, 0), (29, 29, 2), (600, 3)).tolist():
        image = np.zeros((32, 32, 3), np.uint8)
        image[top : top + 4, left : left + 4, colour] = 255
        squares.append(image)
    seen = {turned.tobytes() for image in squares[:300] for turned in (image, image[:, ::-1])}
    new = [image for image in squares[300:] if image.tobytes() not in seen]
    index = CopyIndex(squares[:300])
    assert index.limits.ratio < RATIOS[0] and index.near_copies(new).mean() <= 0.02
    assert index.near_copies(squares[:300]).all()


def test_of_one_item_only_small_changes_are_found():
    index = CopyIndex(ITEMS[:1])
    rng = np.random.default_rng(0)
    assert index.near_copies([ITEMS[0], noise(ITEMS[0], rng), ITEMS[1]]).tolist() == [True, True, False]
    assert index.nearest(ITEMS[:2]).ratio.tolist() == [1, 1]


def test_two_items_are_told_apart():
    index = CopyIndex(ITEMS[:2])
    assert index.near_copies([*ITEMS[:2], OTHERS[0]]).tolist() == [True, True, False]


def test_grey_images_and_single_colours():
    grey = [np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for image in ITEMS[:60]]
    index = CopyIndex(grey)
    rng = np.random.default_rng(0)
    assert index.near_copies([crop(image, rng) for image in grey]).mean() >= 0.95
    assert not index.near_copies([np.full((8, 8, 3), (255, 0, 0), np.uint8), OTHERS[0]]).any()
    flat = CopyIndex([np.full((8, 8, 3), level, np.uint8) for level in (0, 40, 90, 150, 255)])
    assert flat.near_copies([np.full((1, 1, 3), level, np.uint8) for level in (42, 200)]).tolist() == [True, False]


def test_sizes_and_forms_of_images_play_no_part(tmp_path):
    large = ITEMS[4].repeat(3, 0).repeat(2, 1)
    Image.fromarray(large).save(tmp_path / "large.png")
    for source in ([large], tmp_path, [tmp_path / "large.png"], read_images(tmp_path), [Image.fromarray(large)]):
        nearest = INDEX.nearest(source)
        assert nearest.item.tolist() == [4] and nearest.levels[0] < 1e-3


def test_without_images():
    assert INDEX.near_copies([]).tolist() == []
    with pytest.raises(DataError, match="there are no items"):
        CopyIndex([])


def test_near_copies_between_two_authors():
    rng = np.random.default_rng(0)
    theirs = OTHERS[:60]
    own = [*(crop(image, rng) for image in theirs[:20]), *OTHERS[100:180]]
    assert share_of_near_copies(own, theirs, INDEX) == pytest.approx(0.2, abs=0.02)
    assert share_of_near_copies(OTHERS[100:180], theirs, INDEX) <= 0.02
    assert np.isnan(share_of_near_copies([], theirs, INDEX))


def test_the_space_of_another_index_is_taken():
    own = CopyIndex(OTHERS, like=INDEX)
    assert own.limits == INDEX.limits and own.near_copies(OTHERS).all()


@pytest.mark.slow
def test_oasis_photographs(shared):
    """Their files lie in ../shared; where they do not, the test skips."""
    folder = shared / "data" / "oasis" / "images"
    if not folder.is_dir():
        pytest.skip("../shared/data/oasis is not here")
    photographs = list(read_images(folder))
    index, rng = CopyIndex(photographs[::2]), np.random.default_rng(0)
    assert index.near_copies(photographs[1::2]).mean() <= 0.01
    for alter in (noise, signs, mirror, hue, jpeg):
        assert index.near_copies([alter(image, rng) for image in photographs[::4]]).mean() >= 0.95
