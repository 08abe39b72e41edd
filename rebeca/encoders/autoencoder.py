"""The small convolutional autoencoder of the published synthetic experiment (method: 64-pixel RGB, latent 16)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rebeca.arrays import Floats, Pixels
from rebeca.errors import GeneratorError
from rebeca.interfaces import Encoder
from rebeca.seeds import substream, torch_generator

SIZE = 64
CHANNELS = (3, 32, 64, 128, 256)


class _Network(nn.Module):
    """Four strided convolutions, average pooling, 1x1 convolution; mirrored by transposed convolutions."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        down: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(CHANNELS):
            down += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
        self.encoder = nn.Sequential(*down, nn.AdaptiveAvgPool2d(1), nn.Conv2d(CHANNELS[-1], latent, 1), nn.Flatten())
        self.expand = nn.Linear(latent, CHANNELS[-1] * 16)
        up: list[nn.Module] = []
        reverse = CHANNELS[::-1]
        for inputs, outputs in itertools.pairwise(reverse):
            up += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
        self.decoder = nn.Sequential(*up[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the reconstruction, [B, 3, 64, 64]."""
        z = self.expand(self.encoder(x)).view(-1, CHANNELS[-1], 4, 4)
        out: Tensor = self.decoder(z)
        return out


class AutoencoderEncoder(Encoder):
    """``autoencoder:<latent>``; trained on the training pictures with binary cross-entropy and Adam."""

    def __init__(
        self, latent: int = 16, epochs: int = 250, batch: int = 64, lr: float = 1e-3, device: str = "cpu"
    ) -> None:
        self.dim = latent
        self.name = f"autoencoder:{latent}"
        self.epochs, self.batch, self.lr, self.device = epochs, batch, lr, device
        self._network: _Network | None = None

    @property
    def learns(self) -> bool:
        """The network learns."""
        return True

    @property
    def fingerprint(self) -> str:
        """Shape and training; with the training pictures and the seed these decide the weights."""
        return f"{self.name}/1/{self.epochs}/{self.batch}/{self.lr:g}"

    def fit(self, pictures: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        """Trains for the declared number of epochs."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(substream(seed, "autoencoder-init"))
            network = _Network(self.dim).to(self.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=self.lr)
        x = _tensor(pictures)
        random = torch_generator(substream(seed, "autoencoder-batches"))
        network.train()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(x), generator=random).split(self.batch):
                target = x[rows].to(self.device)
                loss = binary_cross_entropy_with_logits(network(target), target)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        self._network = network.eval()

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, latent]."""
        if self._network is None:
            raise GeneratorError(f"{self.name} was asked to encode before it was fitted")
        parts = [
            self._network.encoder(_tensor(pictures[start : start + 256]).to(self.device)).cpu().numpy()
            for start in range(0, len(pictures), 256)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)


def _tensor(pictures: Sequence[Pixels]) -> Tensor:
    resized = [
        p if p.shape[:2] == (SIZE, SIZE) else np.asarray(Image.fromarray(p).resize((SIZE, SIZE), Image.Resampling.BOX))
        for p in pictures
    ]
    return torch.from_numpy(np.stack(resized).astype(np.float32) / 255).permute(0, 3, 1, 2)
