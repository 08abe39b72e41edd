"""Whatever a plug-in does wrong is one message with its kind and name, and exit code 5."""

import re

import pytest

from tests.conftest import invoke

RAISES = 'raise KeyError("out of ideas")'
READ = '        return Dataset.in_memory("Shades", pixels, ratings, scale=(1.0, 5.0), redistribute=True)'
DECODE = "            yield GeneratedImage(pixels, embedding=vector.astype(np.float32))"
JUDGED = "        return np.exp(-np.square(means[:, None] - embeddings[None]).mean(axis=2))"
ENCODED = "        return np.stack(small).reshape(len(images), self.dim).astype(np.float32) / 255"
SCORED = "        return np.array([images.pixels_of(i).mean() for i in range(len(images))])"
MEASURED = '        return {"colours": np.array('
FIT = "    def fit(self, train): ..."
IMAGE = "            yield GeneratedImage(self.context.catalogue"
CONSTRUCTOR = "\n    def __init__(self, params, context):\n        raise ZeroDivisionError(1)\n"


@pytest.mark.parametrize(
    ("label", "old", "new", "text"),
    [
        (
            "generator 'lucky'",
            "        users = {name",
            f"        {RAISES}\n        users = {{name",
            "KeyError: 'out of ideas'",
        ),
        ("generator 'lucky'", IMAGE, IMAGE.replace("yield ", "yield 3, "), "expected a GeneratedImage, got tuple"),
        ("generator 'lucky'", "for request in requests:", "for request in requests[1:]:", "answered 35 of 36"),
        (
            "generator 'lucky'",
            FIT,
            "    def fit(self, train): self.context.privileges.judge",
            "'judge', which its needs",
        ),
        (
            "generator 'lucky'",
            FIT,
            "    def fit(self, train): self.context.decoder(None)",
            "asks for the decoder in fit",
        ),
        (
            "generator 'lucky'",
            FIT,
            f"    @classmethod\n    def needs(cls, params): return {{'gold'}}\n\n{FIT}",
            "needs names 'gold'",
        ),
        (
            "generator 'lucky'",
            FIT,
            f"    @classmethod\n    def claims_personal(cls, params): return 'yes'\n\n{FIT}",
            "claims_personal is 'yes', expected bool",
        ),
        (
            "generator 'lucky'",
            "    def save(self, folder): ...",
            "    def report(self): return {'loss': float('nan')}\n\n    def save(self, folder): ...",
            "ValueError",
        ),
        ("scorer 'brightness'", SCORED, f"        {RAISES}", "KeyError: 'out of ideas'"),
        ("scorer 'brightness'", SCORED, "        return [1.0] * len(images)", "returned a list, expected an array"),
        (
            "scorer 'brightness'",
            SCORED,
            "        return np.ones(len(images) + 1)",
            r"returned \[37\] numbers, expected \[36\]",
        ),
        ("scorer 'brightness'", SCORED, "        return np.full(len(images), np.inf)", r"score returned inf, at \[0\]"),
        (
            "scorer 'brightness'",
            SCORED,
            "        return np.full(len(images), 1e308)",
            r"score returned 1e\+308, at \[0\]",
        ),
        ("scorer 'brightness'", SCORED, "        raise SystemExit(0)", "SystemExit: 0"),
        ("scorer 'brightness'", SCORED, "        images.pixels_of(0)[:] = 0", "ValueError: .*read-only"),
        (
            "scorer 'brightness'",
            'return ScorerCard("Brightness", "grey level 0 to 255"',
            'return ("Brightness", "grey level 0 to 255"',
            "card is .*expected ScorerCard",
        ),
        ("scorer 'brightness'", "    def score(", "    def scores(", "does not define score"),
        ("set scorer 'colours'", MEASURED, f"        {RAISES}\n{MEASURED}", "KeyError: 'out of ideas'"),
        ("set scorer 'colours'", MEASURED, MEASURED.replace("colours", "colour"), "its cards are"),
        (
            "set scorer 'colours'",
            MEASURED,
            f'        return {{"colours": np.ones(3)}}\n{MEASURED}',
            r"returned \[3\] numbers, expected \[12\]",
        ),
        (
            "set scorer 'colours'",
            MEASURED,
            f"        return [1.0] * len(users)\n{MEASURED}",
            "score_sets returned list",
        ),
        ("judge 'nearness'", JUDGED, f"        {RAISES}", "KeyError: 'out of ideas'"),
        ("judge 'nearness'", JUDGED, "        return [[0.5]]", "returned a list, expected an array"),
        ("judge 'nearness'", JUDGED, JUDGED.replace("np.exp(-", "(1.5 + "), r"outside \[0, 1\]"),
        ("judge 'nearness'", JUDGED, "        return np.ones(3)", r"returned \[3\] numbers, expected \[12, "),
        ("encoder 'thumbnail:[24]'", ENCODED, f"        {RAISES}", "KeyError: 'out of ideas'"),
        ("encoder 'thumbnail:[24]'", ENCODED, "        return np.zeros((len(images), 5))", r"expected \[24, "),
        (
            "encoder 'thumbnail:[24]'",
            ENCODED,
            "        return [[1.0]] * len(images)",
            "returned a list, expected an array",
        ),
        (
            "encoder 'thumbnail:[24]'",
            ENCODED,
            ENCODED.replace("np.stack(small)", "np.stack(small)[1:]").replace("len(images)", "-1"),
            r"returned \[\d+, \d+\] numbers, expected",
        ),
        (
            "encoder 'thumbnail:[24]'",
            ENCODED,
            "        return np.full((len(images), self.dim), np.nan)",
            r"returned nan, at \[0, 0\]",
        ),
        (
            "encoder 'thumbnail:[24]'",
            "        return 3 * self.params.side**2",
            "        return 'many'",
            "dim is 'many'",
        ),
        ("decoder 'stripes'", DECODE, f"            {RAISES}", "KeyError: 'out of ideas'"),
        ("decoder 'stripes'", DECODE, "            yield pixels", "returned a ndarray, expected a GeneratedImage"),
        ("decoder 'stripes'", "inverse(points):", "inverse(points)[1:]:", "returned 35 images for 36 requests"),
        ("decoder 'stripes'", DECODE, f"{DECODE}\n{DECODE}", "returned more than 36 images"),
        ("data set 'shades'", READ, f"        {RAISES}", "KeyError: 'out of ideas'"),
        ("data set 'shades'", READ, "        return ratings", "returned a Interactions, expected a rebeca.Dataset"),
        ("data set 'shades'", READ, READ.replace("pixels,", "pixels[1:],"), "pixels of 23 items, ratings of 24"),
        ("data set 'shades'", READ, READ.replace("pixels,", "pixels / 1.0,"), "the pixels of item 0 are no uint8"),
        ("data set 'shades'", READ, READ.replace("5.0)", "4.0)"), "a rating outside its scale, 1 to 4"),
        (
            "data set 'shades'",
            READ,
            READ.replace("pixels, ratings", "pixels, ratings.where(slice(0, 0))"),
            "without ratings",
        ),
        (
            "data set 'shades'",
            "class Shades(DatasetSource[ShadesParams]):",
            "class Shades:",
            "not derived from rebeca.DatasetSource",
        ),
        ("data set 'shades'", "    def read(self):", "    def reads(self):", "does not define read"),
        *(
            (label, anchor, f"{CONSTRUCTOR}\n{anchor}", "failed: ZeroDivisionError")
            for label, anchor in (
                ("generator 'lucky'", FIT),
                ("scorer 'brightness'", "    def score(self"),
                ("set scorer 'colours'", "    def score_sets("),
                ("judge 'nearness'", "    def fit(self, part"),
                ("encoder 'thumbnail:[24]'", "    @property\n    def dim"),
                ("decoder 'stripes'", "    def decode("),
                ("data set 'shades'", "    def read("),
            )
        ),
    ],
)
def test_one_message_and_exit_code_five(plugins, task, tmp_path, label, old, new, text):
    plugins.replace(old, new)
    output = invoke("run", task, "--workdir", tmp_path / "w", "--quiet", code=5)
    errors = [line for line in output.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert re.search(f"{label}.*{text}", errors[0]), output


def test_a_missing_file_of_the_data_is_a_fault_of_the_data(plugins, task, tmp_path):
    plugins.replace(READ, f'        open(self.context.folder / "votes.jsonl").close()\n{READ}')
    task.write_text(task.read_text().replace("kind: shades,", "kind: shades, path: nowhere,"))
    output = invoke("run", task, "--workdir", tmp_path / "w", "--quiet", code=3)
    assert f"error: {tmp_path / 'nowhere' / 'votes.jsonl'}: no such file\n" in output
    assert f"hint: {tmp_path / 'nowhere'} is the folder that the task names as data.path" in output
