"""The package of examples is installed as for the tests of whole plug-ins."""

from tests.plugins.conftest import plugins, task

__all__ = ["plugins", "task"]
