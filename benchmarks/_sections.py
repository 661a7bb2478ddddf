"""A script's own part of a page: what stands between its two marks is replaced, everything else stays as it is."""

from __future__ import annotations

from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    """The lines that a section stands between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def section_of(page: str, name: str) -> str | None:
    """What stands between the marks of a section, None when the page has no such section.

    Raises:
        ValueError: if only one of the marks is there, or one is there twice.
    """
    begin, end = marks(name)
    if begin not in page and end not in page:
        return None
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page wants '{begin}' and '{end}' once each, in this order")
    return page.split(begin)[1].split(end)[0].strip("\n")


def with_section(page: str, name: str, text: str, heading: str) -> str:
    """The page with the section's text replaced; a page without it gets heading and section at its end.

    Args:
        page: Markdown.
        name: Of the section.
        text: What it shall say, without its heading.
        heading: Line above a new section; one that is there keeps what it has.

    Raises:
        ValueError: if the text holds a mark, or the page's marks are damaged.
    """
    begin, end = marks(name)
    if begin in text or end in text:
        raise ValueError("the text holds one of the marks of its section")
    if section_of(page, name) is None:
        return f"{page.rstrip()}\n\n{heading}\n\n{begin}\n{text}\n{end}\n"
    head, tail = page.split(begin)[0], page.split(end)[1]
    return f"{head}{begin}\n{text}\n{end}{tail}"


def write_section(path: Path, name: str, text: str, heading: str) -> None:
    """Replace the section in a file."""
    path.write_text(with_section(path.read_text("utf-8"), name, text, heading), "utf-8")
