"""The data set card: README.md with the front matter that the Hugging Face Hub reads.

Everything from the data (names of sources, labels, columns) is hostile text: marks that Markdown or HTML would obey are
taken from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from curation.core.artifacts import Coverage, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.exporters._records import Written

SHOWN_LABELS = 12
CONTAMINATION = "contamination"
"""`info["check"]` of labels that compare the rows with an evaluation set, and the name of the method."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Card:
    """What a card is made from.

    Args:
        name: Name of the data set.
        data: Name of the data file or folder.
        pool: All rows.
        written: What is in the file.
        selection: Which rows were chosen and why; None = all.
        scores: By step name.
        labels: By step name.
        coverage: Shown as a table.
        recipe: True when recipe.yaml lies beside.
        command: How to run again, "" unknown.
        results: Facts of the steps that ran: name, use, seconds.
        train: The training command, to be run beside the data, "" without a trainer.
        files: Companions and what they are.
    """

    name: str
    data: str
    pool: Dataset
    written: Written
    selection: Selection | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    coverage: Coverage | None = None
    recipe: bool = False
    command: str = ""
    results: tuple[dict[str, Any], ...] = ()
    train: str = ""
    files: dict[str, str] = field(default_factory=dict)


def safe(text: Any) -> str:
    """A text from the data as plain words inside Markdown: one line, no marks, at most 120 characters."""
    words = re.sub(r"\s+", " ", str(text)).strip()
    words = words if len(words) <= 120 else words[:119] + "…"
    words = re.sub(r"([\\`*\[\]<>|~$&@]|(?<!\w)_|_(?!\w))", lambda m: f"&#{ord(m[1])};", words)
    return words.replace("://", "&#58;//").replace("www.", "www&#46;")  # both would become links


def card_text(card: Card) -> str:
    """The whole README.md."""
    parts = [
        _front(card),
        f"# {safe(card.name)}",
        _summary(card),
        _sources(card),
        _left_out(card),
        _contamination(card),
        _before_after(card),
        _label_shares(card),
        _coverage(card),
        _trainer(card),
        _again(card),
        _files(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(card: Card) -> str:
    rows = len(card.written.rows)
    front: dict[str, Any] = {
        "pretty_name": card.name,
        "license": "unknown",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for top, name in SIZES if rows < top), "1M<n<10M")],
        "tags": ["instruction-tuning", "curation"],
    }
    if card.written.container in ("json", "jsonl", "csv", "parquet"):
        front["configs"] = [{"config_name": "default", "data_files": [{"split": "train", "path": card.data}]}]
    return "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True) + "---"


def _summary(card: Card) -> str:
    n, m, w = len(card.pool), _selected(card), card.written
    share = f" ({m / n:.1%})" if n else ""
    said = f"{len(w.rows):,} rows in {safe(card.data)}: {m:,} of {n:,}{share} were selected"
    missing = m - len(w.rows)
    said += f", {missing:,} of them are not in the file (see below)." if missing else "."
    lines = [said]
    if card.selection is not None and card.selection.short_by:
        why = safe(card.selection.short_reason)
        lines.append(f"The selection is {card.selection.short_by:,} rows short of its budget: {why}.")
    lines += [safe_note(note) for note in w.notes]
    return "\n\n".join(lines)


def safe_note(note: str) -> str:
    """A sentence of ours that may quote names from the data between backticks."""
    return re.sub(r"[<>|]", " ", note)


def _selected(card: Card) -> int:
    return len(card.pool) if card.selection is None else len(card.selection.order)


def _sources(card: Card) -> str:
    column = card.pool.table["source"].combine_chunks().dictionary_encode()
    codes = column.indices.to_numpy(zero_copy_only=False)
    labels = column.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(labels))
    kept = np.bincount(codes[card.written.rows], minlength=len(labels))
    facts = {s.get("name", ""): s for s in card.pool.facts.get("sources", [])}
    rows = []
    for label, count, here in zip(labels, counts.tolist(), kept.tolist(), strict=True):
        fact = facts.get(label, {})
        form = (fact.get("mapping") or {}).get("form") or fact.get("form") or ""
        rows.append([safe(label), safe(form), f"{count:,}", f"{here:,}", _count(fact.get("rejected"))])
    table = _table(["source", "form", "rows read", "rows here", "rejected when read"], rows)
    return (
        f"## Sources\n\n{table}\n\nLicence: unknown. The files state none that could be read; check the licence of "
        "every source before you publish this data or a model trained on it, then set `license` above."
    )


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _left_out(card: Card) -> str:
    rows = []
    s = card.selection
    if s is not None and len(s.stage):
        tally = np.bincount(s.stage, minlength=len(s.stages) + 1)
        rows = [[safe(stage), f"{int(c):,}"] for stage, c in zip(s.stages, tally[1:], strict=True) if c]
    elif s is not None and len(s.order) < s.n:
        rows = [["not selected", f"{s.n - len(s.order):,}"]]
    rows += [[f"selected, but {safe(reason)}", f"{len(found):,}"] for reason, found in card.written.left_out.items()]
    if not rows:
        return "## What was left out\n\nNothing."
    return (
        "## What was left out\n\n"
        + _table(["why", "rows"], rows)
        + "\n\n`decisions.parquet` says for every row whether it is in and why."
    )


def _contamination(card: Card) -> str:
    """What was found of evaluation sets, or that nobody looked."""
    lines = []
    for name, labels in card.labels.items():
        info = labels.info
        if info.get("check") != CONTAMINATION:
            continue
        codes = np.asarray(labels.codes)
        matched = codes > 0  # code 0 is "clean"
        rules = [f"{int((codes == c).sum()):,} {safe(labels.names[c])}" for c in range(1, len(labels.names))]
        found, total = (int(info.get(fact, 0)) for fact in ("evaluation_rows_found", "evaluation_rows"))
        said = (
            f"- {int(matched.sum()):,} of {len(codes):,} rows match {safe(info.get('evaluation', 'evaluation rows'))} "
            f"({total:,} rows, of which {found:,} were found): {', '.join(rules)}. "
            f"{int(matched[card.written.rows].sum()):,} of them are in the file."
        )
        unknown = int(labels.missing.mask.sum())
        if unknown:
            inside = int(labels.missing.mask[card.written.rows].sum())
            said += f" {unknown:,} rows were not compared, {inside:,} of them are in the file."
        if int(info.get("most_rows_by_one", 0)) > 1:
            said += (
                f" The evaluation row found most often stands behind {int(info['most_rows_by_one']):,} of the matches."
            )
        if int(info.get("evaluation_rows_without_run", 0)):
            said += f" {int(info['evaluation_rows_without_run']):,} evaluation rows have no run of words to look for."
        lines.append(
            f"{said} A row matches by {'; '.join(safe(rule) for rule in info.get('rules', ()))} (step {safe(name)})."
        )
    untold = [safe(f.get("name", "")) for f in card.results if f.get("use") == f"labeller/{CONTAMINATION}"]
    if not lines and untold:
        lines = [
            f"Compared with an evaluation set (step {', '.join(untold)}); its labels were not given to this export."
        ]
    return "## Contamination\n\n" + ("\n".join(lines) or "Not checked against any evaluation set.")


# ---------------------------------------------------------------------- before and after


def _before_after(card: Card) -> str:
    pool, kept = card.pool, card.written.rows
    if not len(kept):
        return ""
    response = pool.lengths("response").astype(float)
    measures: list[tuple[str, np.ndarray, str]] = [
        ("prompt length (characters)", pool.lengths("prompt").astype(float), ""),
        ("response length (characters)", response, ""),
    ]
    for name, score in card.scores.items():
        better = "" if score.higher_is_better is None else " ↑" if score.higher_is_better else " ↓"
        label = name if score.name in ("", name) else f"{name} ({score.name})"
        measures.append((label + better, np.asarray(score.values, float), "corr"))
    rows = []
    for label, values, kind in measures:
        after = values[kept]
        corr = rank_correlation(values, response) if kind else float("nan")
        rows.append(
            [
                safe(label),
                *(_pair(_mean(values), _mean(after)), _pair(*(_quantile(v, 0.5) for v in (values, after)))),
                f"{_quantile(values, 0.1)}–{_quantile(values, 0.9)} → {_quantile(after, 0.1)}–{_quantile(after, 0.9)}",
                f"{int(np.isnan(values).sum()):,} → {int(np.isnan(after).sum()):,}",
                "" if np.isnan(corr) else f"{corr:+.2f}",
            ]
        )
    head = ["measure", "mean", "median", "10–90 %", "missing", "rank correlation with response length"]
    return "## Before and after\n\nAll rows → rows in the file.\n\n" + _table(head, rows)


def _mean(values: np.ndarray) -> str:
    good = values[np.isfinite(values)]
    return _number(float(good.mean())) if len(good) else "–"


def _quantile(values: np.ndarray, q: float) -> str:
    good = values[np.isfinite(values)]
    return _number(float(np.quantile(good, q))) if len(good) else "–"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _pair(before: str, after: str) -> str:
    return f"{before} → {after}"


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, float64 `[n]`, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation (−1 to 1) of two arrays `[n]`, over the rows where both are finite; NaN when undefined."""
    good = np.isfinite(a) & np.isfinite(b)
    if good.sum() < 3:
        return float("nan")
    x, y = ranks(a[good]), ranks(b[good])
    if x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _label_shares(card: Card) -> str:
    parts = []
    for name, labels in card.labels.items():
        kept = labels.codes[card.written.rows]
        codes, counts = np.unique(labels.codes, return_counts=True)
        biggest = np.argsort(-counts, kind="stable")[:SHOWN_LABELS]
        rows = [
            [
                safe(labels.names[codes[i]] if codes[i] >= 0 else "none"),
                f"{counts[i] / max(len(labels.codes), 1):.1%} → {(kept == codes[i]).sum() / max(len(kept), 1):.1%}",
            ]
            for i in biggest
        ]
        reached = len(np.unique(kept[kept >= 0]))
        total = int((codes >= 0).sum())
        more = f" The {SHOWN_LABELS} largest are shown." if len(codes) > SHOWN_LABELS else ""
        parts.append(
            f"### {safe(name)}\n\n{reached:,} of {total:,} are in the file.{more}\n\n"
            + _table([safe(name), "share of rows"], rows)
        )
    return "## Shares\n\n" + "\n\n".join(parts) if parts else ""


def _coverage(card: Card) -> str:
    if card.coverage is None:
        return ""
    random = card.coverage.info.get("random_table") or {}
    rows = []
    for name, value in card.coverage.table.items():
        beside = random.get(name)
        rows.append([safe(name), f"{value:.4g}", f"{beside:.4g}" if isinstance(beside, (int, float)) else ""])
    if not random:
        return "## Coverage\n\n" + _table(["measure", "value"], [row[:2] for row in rows])
    return "## Coverage\n\n" + _table(["measure", "this selection", "random, the same size"], rows)


# ---------------------------------------------------------------------- the rest


def _trainer(card: Card) -> str:
    report = card.written.report
    if report is None:
        return ""
    listed = "\n".join(f"- {safe_note(line)}" for line in report.lines())
    train = f"\n\nTo train:\n\n```sh\n{card.train}\n```" if card.train else ""
    return (
        f"## Trainer check: {report.version}\n\n{listed}\n- {report.limit_name}: {report.limit:,} tokens\n\nThe rules "
        "were read from that release; another one may differ. The rows are in `decisions.parquet`, column `trainer`."
        f"{train}"
    )


def _again(card: Card) -> str:
    lines = ["## How it was made", ""]
    if card.results:
        rows = [
            [
                safe(f.get("name", "")),
                safe(f.get("use", "")),
                f"{float(f.get('seconds', 0)):.1f}",
                "yes" if f.get("reused") else "",
            ]
            for f in card.results
        ]
        lines += [_table(["step", "method", "seconds", "reused"], rows), ""]
    lines.append("`recipe.yaml` holds every step and setting." if card.recipe else "No recipe was given.")
    if card.command:
        lines += ["", "Run it again:", "", f"```sh\n{card.command}\n```"]
    return "\n".join(lines)


def _files(card: Card) -> str:
    rows = [[f"`{name}`", what] for name, what in card.files.items()]
    return "## Files beside the data\n\n" + _table(["file", "what"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
