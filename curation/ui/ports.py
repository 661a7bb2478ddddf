"""Choosing what a method reads from other steps: a stored result, or the default step that makes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import streamlit as st

from curation.complete import DEFAULT_STEPS, STEP_FOR_KIND, STEP_FOR_PORT
from curation.core.artifacts import Artifact, Dynamics, Features, Labels, Model, Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Method, Port
from curation.ui import pool, session
from curation.ui.pool import Stored, title_of
from curation.ui.text import plain, prose
from curation.ui.weak import weak_note
from curation.ui.words import port_title

DEFAULT, NONE = "", "-"
DEFAULT_NAMES = {
    "embed": "made from the text (default)",
    "graph": "made from the text (default)",
    "map": "the map by meaning (default)",
    "clusters": "clusters of the map (default)",
    "duplicates": "near duplicates (default)",
    "base": "the base model (default)",
    "tune": "the base model, fine-tuned on these rows (default)",
    "before": "loss of the base model (default)",
    "after": "loss of the base model, fine-tuned on these rows (default)",
}
"""What the default steps are called; any other is called by its method's title."""
NO_DEFAULT = ("scorer/class-uncertainty", "scorer/dynamics", "scorer/forgetting", "scorer/grand")
"""They read what the default training, of a language model, does not record: somebody has to train a classifier."""
ONE_OF = ("targets", "queries")
"""Inputs that are both optional by themselves: at most one is given, and a targeted method needs one."""
BASE = "trainer/base"
SCRATCH = "scratch"


def default_step(cls: type[Method], name: str, port: Port) -> str:
    """The name of the step that stands behind a port of a method when nothing is chosen, "" when none does."""
    if port.many != "one" or name in cls.elsewhere or (port.kind is Dynamics and cls.use() in NO_DEFAULT):
        return ""
    return STEP_FOR_PORT.get(name) or STEP_FOR_KIND.get(port.kind, "")


def default_uses(step: str) -> set[str]:
    """Recipe names of all methods that a default step takes."""
    found = DEFAULT_STEPS[step]
    uses = {str(found["use"])}
    for value in found.values():
        if isinstance(value, str) and value.startswith("$") and value[1:] in DEFAULT_STEPS:
            uses |= default_uses(value[1:])
    return uses


def needs_model(cls: type[Method]) -> bool:
    """True when the default steps of a method load or train a model."""
    steps = [default_step(cls, name, port) for name, port in cls.ports().items() if not port.optional]
    return any(use.startswith("trainer/") for step in steps if step for use in default_uses(step))


def ask_ports(
    dataset: Dataset, cls: type[Method], *, key: str, hide: Collection[str] = (), fold: bool = True
) -> tuple[dict[str, Any], str]:
    """Ask for what a method reads.

    Args:
        dataset: Whose results may be chosen.
        cls: The method.
        key: Prefix of the widgets' keys.
        hide: Ports that are not asked for.
        fold: Put the inputs that have a default into an expander.

    Returns:
        Port → key of a result or fingerprint of a dataset (a list of them where the port takes several), without the
        ports that are left to their default; and what is still missing, "" when nothing is.
    """
    chosen: dict[str, Any] = {}
    ports = {n: p for n, p in cls.ports().items() if n not in hide}
    either = ONE_OF if all(n in ports for n in ONE_OF) else ()
    needed = bool(either) and getattr(cls, "purpose", "") == "targeted"
    asked = [
        n for n, p in ports.items() if (needed and n in either) or (not p.optional and not default_step(cls, n, p))
    ]
    missing = next(filter(None, [_port(dataset, cls, name, ports[name], chosen, key) for name in asked]), "")
    others = [n for n in ports if n not in asked]
    if others:
        with st.expander("Inputs", icon=":material/input:") if fold else st.container():
            for name in others:
                _port(dataset, cls, name, ports[name], chosen, key)
    return chosen, missing or _aim(sum(n in chosen for n in either), needed)


def _aim(given: int, needed: bool) -> str:
    """What is wrong with the choice among `ONE_OF`, "" when nothing is."""
    if needed and not given:
        return (
            "Choose what the rows are to be like: targets, which are a selection of this dataset, or queries, the "
            "result of the same encoder on another dataset."
        )
    return "Choose targets or queries, not both: they are two ways to name the same thing." if given > 1 else ""


def _port(dataset: Dataset, cls: type[Method], name: str, port: Port, chosen: dict[str, Any], prefix: str) -> str:
    """Ask for one input and put the choice into `chosen`; returns what is missing."""
    names = stored_for(dataset, name, port, elsewhere=name in cls.elsewhere)
    label, key = port_title(cls, name), f"{prefix}.{name}"
    about = _about_port(cls, name, port)
    if port.many != "one":
        if port.many == "dict":
            return (
                "" if port.optional else f"{plain(cls.title)} is written as a recipe: it reads several named results."
            )
        keys = st.multiselect(
            label, list(names), key=key, format_func=names.__getitem__, help=about, persist_state="session"
        )
        if keys:
            chosen[name] = keys
        return "" if keys or port.optional else f"Choose what {plain(cls.title)} combines."
    default = "" if port.optional else default_step(cls, name, port)
    options: list[str] = [*([NONE] if port.optional else []), *([DEFAULT] if default else []), *names]
    if not options:
        return f"{plain(cls.title)} needs a {port.kind.__name__.lower()}: {_where_from(port)}"
    names = {NONE: "none", DEFAULT: default and _default_name(default), **names}
    found = st.selectbox(label, options, key=key, format_func=names.__getitem__, help=about, persist_state="session")
    if found not in (NONE, DEFAULT):
        chosen[name] = found
    return ""


def _default_name(step: str) -> str:
    return DEFAULT_NAMES.get(step) or f"{title_of(str(DEFAULT_STEPS[step]['use']))} (default)"


ABOUT_KIND: dict[type, str] = {
    Score: "A score of these rows; the Scores page computes them",
    Labels: "Labels of these rows: clusters, languages, sources; the Scores page computes them",
    Selection: "A stored selection of these rows",
}
"""What an input is, where the method's own words are missing."""


def _about_port(cls: type[Method], name: str, port: Port) -> str | None:
    """What the verb's docstring says about an argument."""
    lines = (getattr(cls, cls.verb).__doc__ or "").splitlines()
    found = next((line.strip() for line in lines if line.strip().startswith(f"{name}:")), "")
    return prose(found.partition(":")[2].strip()) or ABOUT_KIND.get(port.kind)


def stored_for(dataset: Dataset, name: str, port: Port, *, elsewhere: bool = False) -> dict[str, str]:
    """What fits a port: key of a stored result, or fingerprint of another dataset → its name for people.

    Args:
        dataset: Whose results are meant.
        name: Of the port.
        port: What it reads.
        elsewhere: True for results of the other datasets instead.
    """
    others = [d for d in session.workspace().datasets() if d.fingerprint != dataset.fingerprint]
    if port.kind is Dataset:
        return {d.fingerprint: d.name for d in others}
    if elsewhere:
        return {s.key: f"{s.name}, {d.name}" for d in others for s in _stored(d.fingerprint, name, port)}
    return {s.key: s.name for s in _stored(dataset.fingerprint, name, port)}


def _stored(fingerprint: str, name: str, port: Port) -> list[Stored]:
    """Results of a dataset that fit a port."""
    if STEP_FOR_PORT.get(name) == "duplicates":
        return pool.duplicates(fingerprint)
    if port.kind is Score:
        return pool.scores(fingerprint)
    if port.kind is Labels:
        return pool.labels(fingerprint)
    if port.kind is Selection:
        return pool.selections(fingerprint)
    if port.kind is Dynamics:
        return pool.trained(fingerprint)
    if port.kind is Model:
        return pool.models(fingerprint)
    infos = session.results(fingerprint, cast(type[Artifact], port.kind).kind)
    return [Stored(i, f"{title_of(i.use)} ({i.step})") for i in infos]


def _where_from(port: Port) -> str:
    if port.kind in (Score, Labels):
        return "compute some on the Scores page first."
    if port.kind is Dataset:
        return "add another file on the Data page first."
    if port.kind in (Model, Dynamics):
        return "train a model on the Scores page first."
    return "run an encoder first." if port.kind is Features else "select some rows first."


def ask_base(*, key: str) -> str:
    """Which model stands behind everything that reads one: the scratch model, or one by name or folder."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        which = st.segmented_control(
            "Base model", [SCRATCH, "another"], default=SCRATCH, required=True, key=f"{key}.which",
            persist_state="session",
            format_func=lambda w: "scratch, made here" if w == SCRATCH else "by name or folder",
            help="Scratch is a small model that is trained here from nothing on a share of your rows: it needs no "
            "network, and it is no evidence about a real model",
        )  # fmt: skip
        if which == SCRATCH:
            weak_note({"weak": True})
            return SCRATCH
        name = st.text_input(
            "Model", key=f"{key}.name", placeholder="folder, or a Hugging Face name such as org/model",
            persist_state="session", label_visibility="collapsed",
            help="A folder on this machine, or a name that is downloaded once (safetensors only)",
        )  # fmt: skip
    return session.path_of(name) if name.strip() else ""
