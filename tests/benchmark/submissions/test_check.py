"""What is known of a bundle: its row, signs of attacks, and everything that it changes for others."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.disk import file_digest
from benchmark.records.bundle import read_bundle
from benchmark.records.files import read_comparison
from benchmark.records.gallery import IMAGES, decode_packed, unpack
from benchmark.records.merge import merge
from benchmark.submissions.check import Change, check_bundle
from benchmark.submissions.comment import MARK, MOST_CHANGES, comment_of, quoted, refusal
from rebeca.errors import RecordError
from tests.benchmark.submissions.conftest import bundle_of, records_of, submission_text, submit
from tests.conftest import invoke


@pytest.fixture(scope="module")
def report(place):
    return check_bundle(bundle_of(place), [place / "results"])


def test_the_report_is_the_row(report, place, tmp_path):
    merged, _ = merge([records_of(place), bundle_of(place)], tmp_path)
    shown = json.loads(invoke("show", merged, "--json"))
    row = next(row for row in shown["generators"] if row["id"] == "noise")
    assert report.rank.startswith(f"{row['rank']['low']}")
    assert report.preference.estimate == row["preference"]["estimate"] and list(report.flags) == row["flags"]
    assert row["submission"]["class"] == report.card.category == "open" and row["status"] == "self-reported"
    assert (report.images, report.others) == (36, 5)
    compared = invoke("compare", merged, "noise", "rebeca", "--json")
    verdicts = [text.split(" ")[0] for text in report.against.values()]
    assert verdicts and all(f'"verdict": "{verdict}"' in compared for verdict in verdicts)


def test_every_change_for_others_is_listed(report, place, tmp_path):
    """Ranks and adjusted p of the declared measures, compared by hand."""
    before = read_comparison(records_of(place)).results.families
    after = merge([records_of(place), bundle_of(place)], tmp_path)[1].results.families
    expected = set()
    for key, kind in (("ncf", "preference"), ("lift:ncf", "lift")):
        for name, rank in before[key].ranks.items():
            if rank.with_letters != after[key].ranks[name].with_letters:
                expected.add((name, f"rank by {kind}", rank.with_letters, after[key].ranks[name].with_letters))
    assert expected
    listed = {(c.generator, c.what, c.before, c.after) for c in report.changes if c.what.startswith("rank")}
    assert {re.sub("personal ", "", f"{each}") for each in listed} == {
        re.sub("personal ", "", f"{each}") for each in expected
    }
    assert not any("noise" in (change.generator, change.what.split(" ")[-1]) for change in report.changes)


def test_images_of_another_row_are_named(open_place):
    """Somebody hands in the images that REBECA made, which are not secret."""
    folder = records_of(open_place) / "rebeca"
    packed = unpack(folder, IMAGES)
    scores = pd.read_parquet(folder / "scores.parquet").query("scorer == 'ncf'")
    for row in scores.itertuples():
        file = open_place / "stolen" / row.user / f"{row.replicate}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        data = packed.get(row.digest)
        pixels = decode_packed(folder, row.digest, data) if data else np.full((24, 24, 3), 7 * row.replicate, np.uint8)
        Image.fromarray(pixels).save(file)
    (open_place / "stolen.yaml").write_text(submission_text("{id: stolen, use: folder, params: {path: stolen}}"))
    submit(open_place, "stolen.yaml")
    signs = check_bundle(bundle_of(open_place, "stolen"), [open_place / "results"]).resembles
    assert any(re.fullmatch(r"\d+(\.\d)? % of the generated images are images of 'rebeca' as well", s) for s in signs)


def test_records_that_are_not_there(place, tmp_path):
    with pytest.raises(RecordError, match="no records of 'tiny' version 1") as error:
        check_bundle(bundle_of(place), [tmp_path])
    assert "--against" in error.value.hint
    assert check_bundle(bundle_of(place), [records_of(place)]).generator == "noise"


def test_images_that_lie_elsewhere_are_not_looked_at(open_place):
    (open_place / "away.yaml").write_text(
        submission_text("{id: away, title: Away, use: folder, params: {path: noise}}")
        + "images: https://example.org/all-images.parquet\n"
    )
    submit(open_place, "away.yaml")
    folder = bundle_of(open_place, "away")
    archive = read_bundle(folder).record.submission.images
    assert archive.address == "https://example.org/all-images.parquet"
    images = folder.with_name("away-all-images.parquet")
    assert (archive.bytes, archive.sha256) == (images.stat().st_size, file_digest(images))
    assert not (folder / "all-images.parquet").exists()
    report = check_bundle(folder, [open_place / "results"])
    assert report.looked == "36 of 36 images are in the bundle, and are those that were scored."
    assert report.place == archive.address and archive.address in html.unescape(comment_of(report))


# ------------------------------------------------------------------------------------------------------- the comment


def hostile(report, text):
    """Texts of others are hostile; flags, reasons, signs and changes are the project's own words and ids."""
    card = report.card.model_copy(update={"authors": (text,), "training_data": text, "made_by": text, "licence": text})
    return replace(
        report,
        title=text,
        card=card,
        reasons=["few"],
        changes=[Change("a", "rank by preference", "1 a", "2 b")] * (MOST_CHANGES + 3),
    )


HOSTILE = "@everyone [x](https://evil.example) <script>alert(1)</script> | a `b` **c** #1 www.evil.example \\ ~~d~~ $e$"


def test_a_comment_shows_what_was_handed_in_as_text_only(report):
    from markdown_it import MarkdownIt

    text = comment_of(hostile(report, HOSTILE))
    assert text.startswith(MARK) and text.count(MARK) == 1
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    for forbidden in ("<script", "<a ", "<strong", "<del"):
        assert forbidden not in page
    assert "@everyone" not in text and "www.evil" not in text
    assert page.count("<table>") == 3 and "And 3 more." in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_comment_has_a_fixed_form(report):
    headings = [line for line in comment_of(report).splitlines() if line.startswith("#")]
    assert headings == [
        "### <code>Noise</code>", "#### Checked", "#### Look twice", "#### What it changes for others", "#### Card",
    ]  # fmt: skip


def test_a_refusal_says_what_to_do():
    text = refusal("`x` is <b>", "do @y")
    assert text.startswith(MARK) and "### Refused" in text and "<b>" not in text and "@y" not in text
    assert quoted("a-b\n\x1b") == "<code>a&#45;b \ufffd</code>" and len(quoted("x" * 9999)) < 450
