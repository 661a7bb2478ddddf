"""The command that looks at a judge: `curate judge-report`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from curation.cli.show import JsonOption, WorkspaceOption, err, out, print_json, table
from curation.cli.work import result_of
from curation.comparison.judge_report import Trust, judge_report, sentences
from curation.comparison.stored import stored_scores
from curation.core.artifacts import Score
from curation.core.errors import CurationError
from curation.core.method import find
from curation.linalg.agreement import Agreement, Estimate
from curation.models.chat.asking import Asking
from curation.workspace import Workspace


def judge_report_command(
    result: Annotated[
        str | None, typer.Argument(help="A score: a job's id, JOB.STEP or a key [the newest by a judge]")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """How far a judge can be trusted: does it agree with itself, what foretells its scores. Asks nobody."""
    ws = Workspace.open(workspace)
    key = _newest(ws) if result is None else result_of(ws, result)[0]
    score = ws.load(key)
    if not isinstance(score, Score):
        raise CurationError(f"a score is wanted, this is {score.kind}", "name its step: JOB.STEP")
    others = {name: other for at, (name, other) in stored_scores(ws, score.dataset).items() if at != key}
    found = judge_report(ws.dataset(score.dataset), score, others)
    if as_json:
        return print_json({"key": key, **found.facts(), "findings": sentences(found)})
    _say(found)
    return None


def _newest(workspace: Workspace) -> str:
    """The newest score that a method which asks a chat model made."""
    for dataset in workspace.datasets():
        for info in workspace.results(dataset.fingerprint):
            if info.kind == Score.kind and issubclass(find(info.use), Asking):
                return info.key
    raise CurationError("no judge has scored anything in this workspace", "curate score alpagasus, for instance")


def _say(found: Trust) -> None:
    out.print(f"{found.name}{f', asked: {found.judge}' if found.judge else ''}; {found.rows:,} rows have a score")
    for reason, count in found.missing.items():
        out.print(f"{count:,} rows have none, {reason}")
    for sentence in sentences(found):
        out.print(sentence)
    audit = found.audit
    agreed = [_agreement("asked again", audit.again), _agreement("in another order", audit.swapped)]
    table(
        "\nAgreement with itself (95 % intervals)",
        [
            "judged twice",
            "rows",
            "same score",
            "a step apart at most",
            "mean distance",
            "mean shift",
            "rank correlation",
        ],
        [row for row in agreed if row[1]],
    )
    if not audit.again.rows and not audit.swapped.rows:
        err.print("note: no row was judged twice (the field `audit`)")
    table(
        "\nLength and position",
        ["what", "value"],
        [
            ["shift by the order of the parts", _range(audit.position)],
            ["rank correlation with length", _range(audit.length_rho)],
            ["points for twice the length", _range(audit.length_slope)],
        ],
    )
    if found.predictors:
        title = f"\nWhat foretells its scores, on {found.used:,} rows: all together R² {max(found.together, 0.0):.2f}"
        rows = [
            [
                p.name,
                _plain(p.alone),
                _range(p.rho),
                f"{p.q:.2g}" if math.isfinite(p.q) else "",
                "yes" if p.significant else "",
            ]
            for p in found.predictors
        ]
        table(title, ["feature", "alone R²", "rank correlation", "corrected p", "more than chance"], rows)
    if found.others:
        table(
            "\nOther scores of these rows",
            ["score", "rank correlation"],
            [[n, _range(v)] for n, v in found.others.items()],
        )


def _agreement(name: str, of: Agreement) -> list[str | int]:
    shares = [_range(of.exact, percent=True), _range(of.within, percent=True)]
    return [name, of.rows, *shares, _range(of.difference), _range(of.shift), _range(of.spearman)]


def _range(of: Estimate, *, percent: bool = False) -> str:
    """A number with its interval; "" where it is not known."""
    if not math.isfinite(of.value):
        return ""
    text = (lambda v: f"{100 * v:.0f} %") if percent else (lambda v: f"{v:.2f}")
    return text(of.value) + (f" ({text(of.low)} to {text(of.high)})" if math.isfinite(of.low) else "")


def _plain(value: float) -> str:
    return f"{max(value, 0.0):.2f}" if math.isfinite(value) else ""
