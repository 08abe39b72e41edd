"""The method page."""

from benchmark.site.method import method_page


def test_markdown_becomes_a_page(tmp_path):
    (tmp_path / "statistics.md").write_text(
        "# Title\n\n[docs](run.md) and [paper](https://example.org)\n\n"
        "![a curve](../images/statistics/curve.png)\n\n<script>alert(1)</script>\n\n    code\n\n| a |\n|---|\n| 1 |\n"
    )
    html, pictures = method_page(tmp_path / "statistics.md")
    assert pictures == ["curve.png"]
    assert "<h1>Title</h1>" in html
    assert "run.md" not in html and '<a href="https://example.org">paper</a>' in html
    assert 'src="method/curve.png" loading="lazy"' in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert '<pre tabindex="0">' in html and "<table>" in html
