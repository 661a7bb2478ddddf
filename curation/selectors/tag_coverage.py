"""Tag coverage: rows with many tags first, each for a tag that no row of the same pass has (InsTag)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import End, cut, highest_first, numbers, sorted_rows
from curation.selectors._tags import NO_TAGS, OTHERS_UNTAGGED, TagSets, Untagged, tag_sets, tagged


class Passes(NamedTuple):
    """An order made in passes.

    Args:
        order: int64 `[m]`, rows.
        gains: int64 `[m]`, tags that the row was the first of its pass to have, ≥ 1.
        turn: int64 `[m]`, the pass in which it was picked, from 0.
    """

    order: np.ndarray
    gains: np.ndarray
    turn: np.ndarray


def cover_in_passes(sets: TagSets, rows: np.ndarray) -> Passes:
    """All of some rows in passes: each pass goes through what is left, and takes a row if it has a tag that is new.

    What a pass has covered is forgotten at its end, so the first pass covers every tag, and later ones cover again what
    the rows that are left still have. The order is that of the plain loop over all rows, found without looking at rows
    that add nothing: the next row to be taken is the first row left of that uncovered tag whose first row comes first.
    Every pass uses up a row of each tag it looks at, so the whole costs O(Σ tags · log), whatever the number of passes.

    Args:
        sets: Tags of every row.
        rows: int64 `[m]`, in order of preference; each with a tag.
    """
    tags, place = sets.within(rows)
    by_tag = np.argsort(tags, kind="stable")  # in each tag by preference
    places = place[by_tag].tolist()
    edges = np.searchsorted(tags[by_tag], np.arange(len(sets.names) + 1)).tolist()
    head, end = edges[:-1], edges[1:]
    starts = np.searchsorted(place, np.arange(len(rows) + 1)).tolist()
    own = tags.tolist()
    taken = bytearray(len(rows))
    seen = [-1] * len(sets.names)  # the last pass in which a tag was covered
    order: list[int] = []
    gains: list[int] = []
    turn: list[int] = []
    waiting = [tag for tag in range(len(sets.names)) if head[tag] < end[tag]]
    number = 0
    while waiting:
        firsts = []
        for tag in waiting:
            here, stop = head[tag], end[tag]
            while here < stop and taken[places[here]]:
                here += 1
            head[tag] = here
            if here < stop:
                firsts.append((places[here], tag))
        waiting = [tag for _, tag in firsts]
        firsts.sort()
        for first, tag in firsts:
            if seen[tag] == number:
                continue
            fresh = 0
            for other in own[starts[first] : starts[first + 1]]:
                if seen[other] != number:
                    seen[other] = number
                    fresh += 1
            taken[first] = 1
            order.append(first)
            gains.append(fresh)
            turn.append(number)
        number += 1
    return Passes(rows[np.array(order, np.int64)], np.array(gains, np.int64), np.array(turn, np.int64))


class TagCoverage(Selector):
    """Complexity-first diverse sampling of InsTag: rows with the most tags first, taken where they add a tag.

    Rows are sorted by their number of tags (equal ones by the lowest row), or by a `score` in its place. Each pass goes
    through the rows that are left and takes a row if it has a tag that no row of this pass has; at the end of a pass
    what is covered is forgotten. After the first pass every tag of the eligible rows is covered.

    Gains are the tags that a pick was the first of its pass to have. `info` says how many tags there are (`vocabulary`)
    and after how many picks half, nine tenths and all of them are covered. Labels without several tags per row count as
    one tag each, a proxy.
    """

    title: ClassVar[str] = "Tag coverage (InsTag)"
    weakness: ClassVar[str] = (
        "Believes the tags: wrong, rare and misspelled ones are covered first, and more tags are no better row."
    )
    source: ClassVar[str] = "InsTag (Lu et al. 2023, arXiv 2308.07074), complexity-first diverse sampling"
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "diversity and quality"
    when: ClassVar[str] = "Rows carry tags of what they ask for, and the selection should ask for everything, richly."
    eligible_ports: ClassVar[tuple[str, ...]] = ("score",)

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    keep: End = Field("best", description="which end of the score comes first, where one takes the place of the count")
    untagged: Untagged = Field("never", description="rows without tags: never picked, as published, or last")

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, tags: Labels, score: Score | None = None
    ) -> Selection:
        """Sort, then pass after pass.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to pick.
            runtime: Not used.
            tags: Tags, or any labels as a proxy.
            score: Sorts the rows in place of their number of tags.

        Raises:
            CurationError: if no eligible row has a tag, or the score does not say which end is better.
        """
        sets = tag_sets(tags)
        eligible = np.asarray(ask.eligible, np.int64)
        if score is None:
            worth, highest = sets.counts.astype(np.float64), True
        else:
            worth, highest = numbers(score, None), highest_first(score, self.keep)
            eligible = eligible[np.isfinite(worth[eligible])]
        rows = tagged(sets, eligible)
        found = cover_in_passes(sets, sorted_rows(rows, worth, highest=highest))
        order, gains = found.order, found.gains.astype(np.float64)
        covered = np.cumsum(found.gains[found.turn == 0])
        if self.untagged == "last":
            rest = eligible[sets.counts[eligible] == 0]
            order = np.concatenate([order, rest if score is None else sorted_rows(rest, worth, highest=highest)])
            gains = np.concatenate([gains, np.zeros(len(rest))])
        vocabulary = int(covered[-1])
        return cut(
            pool,
            ask,
            order,
            gains=gains,
            stages=(NO_TAGS, "no score"),
            codes=np.where(np.isfinite(worth), 1, 2),
            short_reason=OTHERS_UNTAGGED,
            info={
                "vocabulary": vocabulary,
                "picks_for_half": int(np.searchsorted(covered, vocabulary / 2)) + 1,
                "picks_for_nine_tenths": int(np.searchsorted(covered, vocabulary * 9 / 10)) + 1,
                "picks_for_all": len(covered),
                "passes": int(found.turn[-1]) + 1,
                "proxy": sets.proxy,
            },
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)

    def memory(self, size: Size) -> float:
        """Some tags for each row, in lists."""
        return 64e6 + 600.0 * size.rows
