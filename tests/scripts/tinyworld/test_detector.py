"""The detector's training: images that are changed until they pass."""

from __future__ import annotations

import torch

from scripts.tinyworld import detector


def test_changes_bring_images_nearer_to_passing():
    torch.manual_seed(0)
    model, random = detector.build(), torch.Generator().manual_seed(1)
    images = torch.rand(6, 3, 64, 64, generator=random) * 2 - 1
    changed = detector.changed_to_pass(model, images, random)
    assert changed.shape == images.shape and changed.min() >= -1 and changed.max() <= 1
    assert 0 < (changed - images).abs().max() <= detector.CHANGES * detector.CHANGE + 1e-6
    assert (model(changed) > model(images)).all()


def test_half_of_the_images_are_mirrored():
    images = torch.arange(200.0).view(100, 1, 1, 2)
    mirrored = detector.mirrored(images, torch.Generator().manual_seed(0))
    turned = (mirrored == images.flip(3)).all(dim=3).view(-1)
    assert 35 <= turned.sum() <= 65 and (turned | (mirrored == images).all(dim=3).view(-1)).all()
