"""Names of clusters, from the words that tell each apart: "recipe · butter · oven"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from curation.models.words import segment, spaceless_share

JOIN = " · "
WORDS_IN_NAME = 3
ROWS_READ = 200  # of each cluster, spread evenly; more change no name
CHARS_READ = 1200
COMMON_SHARE = 0.2  # a word in more rows than this, all clusters together, is a stop word of this pool
LEAST_ROWS = 2  # of a cluster that must have a word before it may name it
LEAST_SHARE = 0.1
CONTRAST = 2.0  # times as frequent inside the cluster as in the pool

_ENGLISH = """
a about above across after again against all almost alone along already also although always am among an and
another any anyone anything are around as at away back be because become been before being below between both
but by came can cannot come could did do does doing done down due during each either else enough etc even ever
every everyone everything example few first following for from further gave get give given gives go goes going
good got had has have having he hence her here hers herself him himself his how however i if in indeed instead
into is it its itself just keep kind last least less let like made make makes making many may me might more
most much must my myself near need needs neither never new next no nobody none nor not nothing now of off
often on once one only onto or other others our ours ourselves out over own part per perhaps please provide
put quite rather really said same say see seem several she should show since so some someone something
sometimes still such take than that the their theirs them themselves then there therefore these they thing
things this those though three through thus to together too toward towards two under until up upon us use used
uses using various very was way ways we well went were what whatever when where whether which while who whole
whom whose why will with within without would yes yet you your yours yourself it's don't can't doesn't didn't
won't isn't aren't wasn't i'm i've i'll you're you've you'll we're we've they're they've that's there's what's
let's he's she's
"""

ENGLISH_STOP_WORDS = frozenset(_ENGLISH.split())
"""Function words, which no cluster should be named by. Words that this pool uses everywhere are found by counting."""


def name_clusters(texts: Sequence[str], codes: np.ndarray, count: int) -> tuple[str, ...]:
    """One name for each cluster: the three words with the highest c-TF-IDF.

    Words are cut by ICU, so every script works. A word's weight is the share of the cluster's rows that have it, times
    log(1 + rows of an average cluster / rows of all clusters that have it) (c-TF-IDF, Grootendorst 2022,
    arXiv:2203.05794, with rows in place of occurrences, so that one long row names nothing). Left out: English function
    words, words in a fifth of all rows, numbers, single letters, and words hardly more frequent inside than outside. Of
    words that differ in their ending only the first is taken. Equal names get a number.

    Costs about 0.2 ms for each row read, at most 200 rows of a cluster.

    Args:
        texts: n strings.
        codes: int `[n]`, the cluster of each row, -1 = none.
        count: Number of clusters.

    Returns:
        `count` names, no two alike.
    """
    rows_with, rows_read = _count(texts, codes, count)
    everywhere: Counter[str] = Counter()
    for counts in rows_with:
        everywhere.update(counts)
    total = max(1, int(rows_read.sum()))
    names = [_name(rows_with[c], int(rows_read[c]), everywhere, total, count) for c in range(count)]
    return _tell_apart([name or f"cluster {c + 1}" for c, name in enumerate(names)])


def _count(texts: Sequence[str], codes: np.ndarray, count: int) -> tuple[list[Counter[str]], np.ndarray]:
    """For each cluster, the rows that have each word, and the rows read."""
    rows_with: list[Counter[str]] = []
    rows_read = np.zeros(count, np.int64)
    for cluster in range(count):
        members = np.flatnonzero(codes == cluster)
        spread = np.linspace(0, len(members) - 1, min(ROWS_READ, len(members))).round().astype(np.int64)
        counts: Counter[str] = Counter()
        for row in members[spread]:
            counts.update(set(filter(_may_name, segment(texts[row][:CHARS_READ]))))
        rows_with.append(counts)
        rows_read[cluster] = len(spread)
    return rows_with, rows_read


def _may_name(word: str) -> bool:
    if word in ENGLISH_STOP_WORDS or any(map(str.isdigit, word)):
        return False
    # One Han character is seldom a word that says something; nor are two letters of an alphabet.
    return len(word) >= (2 if spaceless_share(word) > 0.5 else 3)


def _name(counts: Counter[str], rows: int, everywhere: Counter[str], total: int, clusters: int) -> str:
    average = total / max(clusters, 1)

    def weight(word: str) -> float:
        return counts[word] / rows * float(np.log1p(average / everywhere[word]))

    frequent = [w for w, c in counts.items() if c >= min(rows, max(LEAST_ROWS, LEAST_SHARE * rows))]
    if clusters > 1:
        telling = [w for w in frequent if counts[w] / rows >= CONTRAST * everywhere[w] / total]
        rare = [w for w in telling if everywhere[w] <= max(COMMON_SHARE * total, 1.5 * counts[w])]
    else:
        telling, rare = frequent, frequent
    chosen: list[str] = []
    for candidates in (rare, telling, frequent):
        # by weight; of equals the more frequent, then the first of the alphabet
        for word in sorted(candidates, key=lambda w: (-weight(w), -counts[w], w)):
            if len(chosen) == WORDS_IN_NAME:
                break
            if not any(_same_stem(word, other) for other in chosen):
                chosen.append(word)
        if chosen:
            break
    return JOIN.join(chosen)


def _same_stem(one: str, other: str) -> bool:
    """True for forms of one word: "recipe" and "recipes", "equation" and "equations", 数学 and 数学题."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short):
        return len(short) >= 2
    shared = 0
    while shared < len(short) and short[shared] == long[shared]:
        shared += 1
    return shared >= 5 and len(short) - shared <= 2 and len(long) - shared <= 3


def _tell_apart(names: list[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    taken = set(names)
    apart = []
    for name in names:
        seen[name] += 1
        number, candidate = seen[name], name
        while number > 1 and (candidate := f"{name} ({number})") in taken:
            number += 1
        taken.add(candidate)
        apart.append(candidate)
    return tuple(apart)
