"""A benchmark replaces its own section of a page and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sections():
    sys.path.append(str(ROOT / "benchmarks"))  # last, see test_workspaces
    try:
        import _sections

        yield _sections
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_a_new_section_goes_to_the_end_and_is_replaced_after_that(sections):
    page = "# Page\n\n## One\n\n<!-- one: begin -->\nold\n<!-- one: end -->\n"
    once = sections.with_section(page, "two", "| a |", "## Two")
    assert once.startswith(page.rstrip())
    assert once.endswith("## Two\n\n<!-- two: begin -->\n| a |\n<!-- two: end -->\n")
    again = sections.with_section(once, "two", "| b |\n| c |", "## Two")
    assert again == once.replace("| a |", "| b |\n| c |")
    assert sections.section_of(again, "two") == "| b |\n| c |"
    assert sections.section_of(again, "one") == "old"


def test_what_stands_after_the_section_stays(sections):
    page = "top\n<!-- x: begin -->\nold\n<!-- x: end -->\nbelow\n"
    assert sections.with_section(page, "x", "new", "## X") == "top\n<!-- x: begin -->\nnew\n<!-- x: end -->\nbelow\n"


@pytest.mark.parametrize(
    "page",
    [
        "<!-- x: begin -->\n",
        "<!-- x: end -->\n<!-- x: begin -->\n",
        "<!-- x: begin -->\n<!-- x: begin -->\n<!-- x: end -->\n",
    ],
)
def test_damaged_marks_are_an_error_and_nothing_is_written(sections, tmp_path, page):
    path = tmp_path / "page.md"
    path.write_text(page)
    with pytest.raises(ValueError, match="once each"):
        sections.write_section(path, "x", "new", "## X")
    assert path.read_text() == page


def test_a_text_cannot_hold_its_own_mark(sections):
    with pytest.raises(ValueError, match="marks"):
        sections.with_section("page", "x", "<!-- x: end -->", "## X")


@pytest.mark.parametrize("name", ["map", "selectors"])
def test_the_real_page_changes_only_inside_the_section(sections, name):
    page = (ROOT / "docs" / "measurements.md").read_text("utf-8")
    changed = sections.with_section(page, name, "| new |", "## The map in the browser")
    begin, end = sections.marks(name)
    if begin in page:
        assert changed.split(begin)[0] == page.split(begin)[0]
        assert changed.split(end)[1] == page.split(end)[1]
    else:
        assert changed.startswith(page.rstrip())
    assert sections.section_of(changed, name) == "| new |"
