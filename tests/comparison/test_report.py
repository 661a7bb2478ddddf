"""A report holds what was measured, needs nothing from anywhere, and shows hostile text letter by letter."""

from __future__ import annotations

import dataclasses
import io
import re
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest

from curation.comparison import Difference, ScoreChange, Weakness
from curation.comparison.membership import overlap, patterns
from curation.comparison.page import POLICY, seconds_text, text
from curation.comparison.report import Report, examples_of, figures_of, html_report, map_files, png_archive
from curation.comparison.shares import shares
from curation.comparison.spread import length_spread
from curation.core.artifacts import Labels, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, MissingDependency
from curation.figures.embedding import figure_json, plotly_js

HOSTILE = "</script><script>alert(1)</script><img src='http://evil.test/x.png' onerror=alert(2)> $x$ \u202e"
MOST_BYTES = 12_000_000


class Page(HTMLParser):
    """Tags with their attributes, the text outside scripts, and the scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        (self.scripts if self._in == "script" else self.shown).append(data)

    @property
    def text(self) -> str:
        return " ".join(self.shown)


@pytest.fixture
def report(comparison):
    made = comparison({"one": [0, 1, 2, 3], HOSTILE: [2, 3, 4, 5]}, 30, budget=4)
    dataset = from_pairs([(f"question {i} {HOSTILE}", "word " * (i % 7 + 1)) for i in range(30)])
    labels = Labels(made.dataset, (np.arange(30) % 2).astype(np.int32), (HOSTILE, "plain"), Missing.none(30))
    weak = Weakness(HOSTILE, "statistical", "claim", HOSTILE, {}, (HOSTILE, "n"), ((HOSTILE, 1.5),), HOSTILE)
    change = ScoreChange("s", HOSTILE, True, 1.0, 2.0, float("nan"), 0.5)
    rows = np.arange(3)
    differs = Difference("one", HOSTILE, 0.0, "row", rows, rows, rows, scores=(change,))
    return Report(
        comparison=dataclasses.replace(made, dataset_name=HOSTILE),
        overlap=overlap(made),
        patterns=patterns(made),
        spreads=(dataclasses.replace(length_spread(dataset, made), name=HOSTILE),),
        shares=(shares("k", HOSTILE, labels, made),),
        weaknesses=(weak,),
        difference=differs,
        recipes={"one": f"steps: {HOSTILE}"},
        examples={HOSTILE: examples_of(dataset, np.array([3, 4]))},
        xy=np.random.default_rng(0).normal(size=(30, 2)),
        command="curate compare abc def",
        created="today",
    )


@pytest.fixture
def page(report):
    return html_report(report)


def test_it_is_one_file_of_bounded_size_without_addresses(page):
    found = Page(page)
    assert len(page.encode()) < MOST_BYTES
    for _, attributes in found.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert str(attributes.get(name) or "data:").startswith("data:")
    own = page.replace(plotly_js(), "")
    assert "@import" not in own
    assert "url(" not in own


def test_a_policy_forbids_every_connection(page):
    policies = [a["content"] for t, a in Page(page).tags if t == "meta" and a.get("http-equiv")]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'")
    assert "connect-src" not in POLICY


def test_hostile_text_is_text(page):
    found = Page(page)
    assert [t for t, _ in found.tags].count("script") == 2
    assert not any("onerror" in a for _, a in found.tags)
    images = [a["src"] for t, a in found.tags if t == "img"]
    assert images
    assert all(src.startswith("data:image/png;base64,") for src in images)
    assert "<script>alert(1)</script>" in found.text, "shown, letter by letter"
    assert "\u202e" not in page
    assert "\\u202e" in found.text
    assert all("alert(1)</script" not in script for script in found.scripts)


def test_it_holds_what_was_asked(page):
    shown = Page(page).text
    for words in ("curate compare abc def", "today", "Fingerprint of the dataset", "numpy", "claim", "4 rows each"):
        assert words in shown
    assert Page(page).tags.count(("html", {"lang": "en"})) == 1


def test_every_figure_has_its_place(report, page):
    ids = [a["id"] for t, a in Page(page).tags if t == "div" and a.get("class") == "chart"]
    names = list(figures_of(report))
    assert ids == [f"figure-{name}" for name in names]
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    for name in names:
        assert f'"{name}":{{' in page


def test_one_arm_needs_no_combinations(comparison):
    made = comparison({"one": [1, 2]}, 9)
    report = Report(made, overlap(made), patterns(made))
    assert list(figures_of(report)) == ["overlap"]
    assert "Rows to read" not in html_report(report)


def test_a_million_points_make_a_small_picture(comparison):
    n = 200_000
    made = comparison({"one": list(range(0, n, 7))}, n)
    report = Report(made, overlap(made), patterns(made), xy=np.random.default_rng(0).normal(size=(n, 2)))
    files = map_files(report)
    assert list(files) == ["one", "random 0"]
    assert all(data.startswith(b"\x89PNG") and len(data) < 200_000 for data in files.values())


def test_figures_as_data_cannot_leave_their_script(report):
    for figure in figures_of(report).values():
        data = figure_json(figure)
        assert not set("<>&\u2028\u2029") & set(data)


def test_text_and_seconds_for_people():
    assert text("<b>\x00\u202e'\"&") == "&lt;b&gt;\\u202e&#x27;&quot;&amp;"
    assert [seconds_text(s) for s in (1.24, 125, 3720, float("nan"))] == ["1.2 s", "2 min 5 s", "1 h 2 min", "unknown"]


def test_long_texts_are_cut_and_said_to_be(comparison):
    dataset = from_pairs([("p" * 5_000, "r")])
    (example,) = examples_of(dataset, np.array([0]))
    assert len(example.prompt) < 800
    assert "5,000 characters" in example.prompt


# ------------------------------------------------------------------ PNG


@pytest.mark.browser
def test_figures_and_maps_as_png(report):
    try:
        data = png_archive(report)
    except CurationError as error:
        assert "Chrome" in error.message  # the hint names it
        pytest.skip("no Chrome here")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert {"overlap.png", "map-a.png", "map-b.png", "map-random.png"} <= set(names)
        assert len(names) == len(figures_of(report)) + 3
        assert all(archive.read(name).startswith(b"\x89PNG") for name in names)


def test_without_kaleido_the_install_line_is_said(report, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(MissingDependency) as raised:
        png_archive(report)
    assert "curation[report]" in raised.value.hint


def test_without_chrome_the_hint_names_what_helps(report, monkeypatch):
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    with pytest.raises(CurationError, match="no Chrome") as raised:
        png_archive(report)
    assert "BROWSER_PATH" in raised.value.hint
