"""Plug-ins that break their contracts, each in one way: a right one per kind, and what is put in place of its parts."""

from importlib import import_module
from typing import NamedTuple

KINDS = ("generator", "scorer", "set_scorer", "judge", "encoder", "decoder", "dataset")


class Breach(NamedTuple):
    """What a check must find.

    Attributes:
        check: Name of the check that must name it.
        text: Regular expression of its message.
        members: What replaces members of the right plug-in.
    """

    check: str
    text: str
    members: dict


def breach(check, text, /, **members):
    return Breach(f"test_{check}", text, members)


def of_kind(kind):
    """The module with the contract, the right plug-in and its breaches."""
    return import_module(f"tests.plugins.breaches.{kind}")


def answers(value):
    """A class method that answers the same whatever the parameters are."""
    return classmethod(lambda cls, params, *more: value)


def raises(*_, **__):
    raise KeyError("out of ideas")
