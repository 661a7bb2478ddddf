"""Curves of what a job's steps record while they run: loss, learning rate, tokens per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from curation import jobs
from curation.jobs import Status
from curation.ui.components import chart, mode
from curation.ui.text import number, plain
from curation.workspace import Workspace

AXES = ("step", "epoch")
"""What a curve can be drawn over, the first that was recorded."""
RUN = ("run", "fold")
"""Tell trainings of one step apart."""
RATE = "tokens_per_second"
NOT_CURVES = (*AXES, *RUN, RATE, "time", "seed", "steps", "tokens")
"""Numbers that say where a record belongs, and the speed, which is said in words."""
FIRST = ("loss", "accuracy")
LAST = ("learning_rate",)
SIDE_BY_SIDE = 3
RECENT = 30
"""Records that the rate is measured over."""

Metrics = Mapping[str, Sequence[float]]


def curve_names(metrics: Metrics) -> list[str]:
    """The metrics that are worth a curve, the telling ones first."""
    found = [
        m
        for m, values in metrics.items()
        if m not in NOT_CURVES and not m.startswith("bin") and np.isfinite(np.asarray(values)).any()
    ]  # bins of a histogram are no curves

    def place(name: str) -> tuple[int, str]:
        if name in FIRST:
            return FIRST.index(name), name
        return (len(FIRST) + 1 if name in LAST else len(FIRST)), name

    return sorted(found, key=place)


def axis_of(metrics: Metrics) -> tuple[str, Sequence[float]]:
    """What the curves of a step are drawn over, and its values; the number of the record where nothing was said."""
    for name in AXES:
        if name in metrics and np.isfinite(np.asarray(metrics[name])).any():
            return name, metrics[name]
    most = max((len(v) for v in metrics.values()), default=0)
    return "record", [float(i + 1) for i in range(most)]


def tokens_per_second(metrics: Metrics) -> float | None:
    """The speed over the last records: as recorded, else from the tokens so far; None when neither is there."""
    if RATE in metrics:
        rates = np.asarray(metrics[RATE], np.float64)[-RECENT:]
        return float(np.nanmean(rates)) if np.isfinite(rates).any() else None
    if "tokens" not in metrics or "time" not in metrics:
        return None
    tokens = np.asarray(metrics["tokens"], np.float64)[-RECENT:]
    time = np.asarray(metrics["time"], np.float64)[-RECENT:]
    there = np.isfinite(tokens) & np.isfinite(time)
    tokens, time = tokens[there], time[there]
    falls = np.flatnonzero(np.diff(tokens) < 0)  # another training has begun
    if len(falls):
        tokens, time = tokens[falls[-1] + 1 :], time[falls[-1] + 1 :]
    if len(tokens) < 2 or time[-1] <= time[0] or tokens[-1] <= tokens[0]:
        return None
    return float((tokens[-1] - tokens[0]) / (time[-1] - time[0]))


def now_line(metrics: Metrics) -> str:
    """One line about the last record: step, the first metrics, speed."""
    parts = []
    axis, places = axis_of(metrics)
    if axis != "record":
        parts.append(f"{axis} {number(round(_last(places), 2))}")
    parts += [f"{_words(n)} {_last(metrics[n]):.4g}" for n in curve_names(metrics)][:3]
    speed = tokens_per_second(metrics)
    if speed is not None:
        parts.append(f"{number(round(speed))} tokens/s")
    return " · ".join(parts)


def _last(values: Sequence[float]) -> float:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite[-1]) if len(finite) else float("nan")


def _words(name: str) -> str:
    return name.replace("_", " ")


def step_curves(metrics: Metrics, *, key: str) -> None:
    """The curves of one step, side by side, with a line of numbers under them."""
    from curation.figures.training import curve_figure

    names = curve_names(metrics)
    if not names:
        return
    axis, places = axis_of(metrics)
    runs = next((metrics[r] for r in RUN if r in metrics), None)
    for begin in range(0, len(names), SIDE_BY_SIDE):
        row = names[begin : begin + SIDE_BY_SIDE]
        # a curve alone keeps the width it would have beside others; two share the card
        for place, name in zip(st.columns(max(len(row), 2)), row, strict=False):
            with place:
                figure = curve_figure(places, metrics[name], runs=runs, name=_words(name), x_name=axis, mode=mode())
                chart(figure, key=f"{key}.{name}", alt=f"{_words(name)} over {axis}s")
    st.caption(plain(now_line(metrics)))


def job_curves(workspace: Workspace, status: Status) -> None:
    """What a job's steps recorded: the running step's curves as they grow, those of finished ones folded away."""
    found = {step: m for step, m in jobs.metrics(workspace, status.id).items() if curve_names(m)}
    if not status.ended and status.step in found:
        step_curves(found.pop(status.step), key=f"job.{status.id}.live")
    if not found:
        return
    place = st.expander("Curves", icon=":material/show_chart:", on_change="rerun", key=f"job.{status.id}.curves")
    if place.open:
        with place:
            for step, metrics in found.items():
                if len(found) > 1:
                    st.markdown(f"**{plain(step)}**")
                step_curves(metrics, key=f"job.{status.id}.curves.{step}")
