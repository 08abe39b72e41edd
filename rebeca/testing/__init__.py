"""Contract tests for plug-ins: a test class inherits the contract of its kind, names the plug-in, and runs in pytest.

``rebeca-bench check plugin NAME`` runs the same checks. Importing it imports neither pytest nor torch.
"""

from rebeca.testing.contract import CheckResult, ContractBreach, run_contract
from rebeca.testing.dataset import DatasetContract
from rebeca.testing.decoder import DecoderContract
from rebeca.testing.encoder import EncoderContract
from rebeca.testing.generator import GeneratorContract
from rebeca.testing.judge import JudgeContract
from rebeca.testing.scorer import ScorerContract, SetScorerContract
from rebeca.testing.world import World, make_world

__all__ = [
    "CheckResult",
    "ContractBreach",
    "DatasetContract",
    "DecoderContract",
    "EncoderContract",
    "GeneratorContract",
    "JudgeContract",
    "ScorerContract",
    "SetScorerContract",
    "World",
    "make_world",
    "run_contract",
]
