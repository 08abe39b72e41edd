"""The small convolutional autoencoder of the published synthetic experiment: 64-pixel RGB, latent 16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rebeca.arrays import Floats, Pixels
from rebeca.errors import PluginError
from rebeca.interfaces import Encoder, EncoderContext
from rebeca.params import Count, Positive

if TYPE_CHECKING:
    from rebeca.encoders.autoencoder_network import AutoencoderNetwork


@dataclass(frozen=True, slots=True)
class AutoencoderParams:
    """Parameters of a task file.

    Attributes:
        latent: Length of the embedding; given after the colon.
        epochs: Passes over the training images.
        batch: Images per step.
        lr: Adam's learning rate.
    """

    latent: Count = 16
    epochs: Count = 250
    batch: Count = 64
    lr: Positive = 1e-3


class Autoencoder(Encoder[AutoencoderParams]):
    """``autoencoder:<latent>``; trained on the training images with binary cross-entropy and Adam."""

    Params = AutoencoderParams
    ARGUMENT = "latent"

    def __init__(self, params: AutoencoderParams, context: EncoderContext) -> None:
        super().__init__(params, context)
        self._network: AutoencoderNetwork | None = None

    @property
    def dim(self) -> int:
        return self.params.latent

    @classmethod
    def learns(cls, params: AutoencoderParams) -> bool:
        return True

    def fit(self, images: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        from rebeca.encoders.autoencoder_network import train_autoencoder

        p = self.params
        self._network = train_autoencoder(images, p.latent, p.epochs, p.batch, p.lr, seed, self.context.device)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        from rebeca.encoders.autoencoder_network import latents

        if self._network is None:
            raise PluginError("it was asked to encode before it was fitted")
        return latents(self._network, images, self.dim, self.context.device)
