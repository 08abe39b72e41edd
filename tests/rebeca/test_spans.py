"""Spans go to the recorder of the block, and to nobody otherwise."""

import contextlib
import threading
from contextvars import copy_context

import numpy as np
import pytest

from benchmark.runner.plugins import build
from rebeca.errors import PluginError
from rebeca.guards import GUARDS
from rebeca.interfaces import GeneratedImage, Request
from rebeca.spans import Part, recorded, span


class Notes:
    """Keeps what begins and ends."""

    def __init__(self):
        self.lines = []

    @contextlib.contextmanager
    def span(self, part, name):
        self.lines.append(f"{part.value}: {name}")
        try:
            yield
        finally:
            self.lines.append("end")


def test_spans_are_recorded_within_the_block_only():
    notes = Notes()
    with span(Part.DATA, "before"), recorded(notes), span(Part.DATA, "within"):
        pass
    with span(Part.DATA, "after"):
        pass
    assert notes.lines == ["data: within", "end"]


def test_the_block_may_end_with_an_error():
    notes = Notes()
    with pytest.raises(ValueError), recorded(notes), span(Part.DATA, "a"):
        raise ValueError
    with span(Part.DATA, "b"):
        pass
    assert notes.lines == ["data: a", "end"]


def test_a_thread_records_where_it_was_given_the_context():
    def work():
        with span(Part.IMAGES, "in a thread"):
            pass

    notes = Notes()
    with recorded(notes):
        for target, arguments in ((work, ()), (copy_context().run, (work,))):
            thread = threading.Thread(target=target, args=arguments)
            thread.start()
            thread.join()
    assert notes.lines == ["image files: in a thread", "end"]


class Painter:
    """Behaves like a generator: two answers, then an error."""

    def fit(self, train):
        pass

    def save(self, folder):
        pass

    def generate(self, requests):
        for _ in requests:
            yield GeneratedImage(np.zeros((2, 2, 3), np.uint8))
        raise ValueError("out of paint")


def test_calls_of_plugins_are_spans_and_what_happens_between_answers_is_not():
    painter, notes = GUARDS["generator"](Painter(), None, None, "monet"), Notes()
    with recorded(notes):
        painter.fit(None)
        painter.save(None)
        answers = painter.generate([Request("ann", 0, 1)])
        next(answers)
        notes.lines.append("between")
        with pytest.raises(PluginError, match="out of paint"):
            next(answers)
    generate = ["models and solvers: generator 'monet': generate", "end"]
    fit = ["models and solvers: generator 'monet': fit", "end", "plug-ins' own files: generator 'monet': save", "end"]
    assert notes.lines == [*fit, *generate, *generate, "between", *generate]


def test_building_a_plugin_is_no_model():
    notes = Notes()
    with recorded(notes), contextlib.suppress(PluginError):
        build("generator", "catalogue", None, None, "monet")
    assert notes.lines == ["plug-ins' own files: generator 'monet': build", "end"]
