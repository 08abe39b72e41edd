"""The network of the published synthetic experiment's autoencoder, and its training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_batches
from rebeca.seeds import substream, torch_generator

SIZE = 64
CHANNELS = (3, 32, 64, 128, 256)
AT_ONCE = 256


class AutoencoderNetwork(nn.Module):
    """Four strided convolutions, average pooling, 1x1 convolution; mirrored by transposed convolutions.

    Args:
        latent: Length of the embedding.
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        down = [layer for sizes in itertools.pairwise(CHANNELS) for layer in (nn.Conv2d(*sizes, 4, 2, 1), nn.ReLU())]
        self.encoder = nn.Sequential(*down, nn.AdaptiveAvgPool2d(1), nn.Conv2d(CHANNELS[-1], latent, 1), nn.Flatten())
        self.expand = nn.Linear(latent, CHANNELS[-1] * 16)
        wider = itertools.pairwise(CHANNELS[::-1])
        up = [layer for sizes in wider for layer in (nn.ConvTranspose2d(*sizes, 4, 2, 1), nn.ReLU())]
        self.decoder = nn.Sequential(*up[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the reconstruction, [B, 3, 64, 64]."""
        return self.decoder(self.expand(self.encoder(x)).view(-1, CHANNELS[-1], 4, 4))


def train_autoencoder(
    images: Sequence[Pixels], latent: int, epochs: int, batch: int, lr: float, seed: int, device: str
) -> AutoencoderNetwork:
    """Trains with binary cross-entropy and Adam for the given number of epochs; the network in evaluation mode.

    Args:
        images: uint8 RGB of any size; brought to 64 x 64 pixels.
        latent: Length of the embedding.
        epochs: Passes over the images.
        batch: Images per step.
        lr: Learning rate.
        seed: Draws initial weights and batches.
        device: Torch device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(substream(seed, "autoencoder-init"))
        network = AutoencoderNetwork(latent).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=lr)
    x = _tensor(images)
    random = torch_generator(substream(seed, "autoencoder-batches"))
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=random).split(batch):
            target = x[rows].to(device)
            loss = binary_cross_entropy_with_logits(network(target), target)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return network.eval()


@torch.inference_mode()
def latents(network: AutoencoderNetwork, images: Sequence[Pixels], latent: int, device: str) -> Floats:
    """float32 [n, latent]."""
    return in_batches(lambda batch: network.encoder(_tensor(batch).to(device)).cpu().numpy(), images, AT_ONCE, latent)


def _tensor(images: Sequence[Pixels]) -> Tensor:
    resized = [
        p if p.shape[:2] == (SIZE, SIZE) else np.asarray(Image.fromarray(p).resize((SIZE, SIZE), Image.Resampling.BOX))
        for p in images
    ]
    return torch.from_numpy(np.stack(resized).astype(np.float32) / 255).permute(0, 3, 1, 2)
