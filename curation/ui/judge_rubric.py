"""A rubric of the user's own: criteria, worked examples, instructions; kept in the workspace or as a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
import yaml
from pydantic import ValidationError

from curation.core.dataset import Dataset
from curation.core.errors import CurationError, machine_problem
from curation.core.method import Method
from curation.ui.components import error_box
from curation.ui.forms import method_form
from curation.ui.text import plain
from curation.workspace import Workspace, write_atomically

RUBRIC = "scorer/rubric"
KEY = "judge.rubric"
FIELDS = ("criteria", "examples", "instructions", "aggregate", "reasons")
COLUMNS = ("name", "description", "weight", "low", "high")
MOST_BYTES = 1 << 20
_NAME = re.compile(r"[\w][\w .-]{0,59}")


# ------------------------------------------------------------------ plain data


def criteria_of(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Criteria from the lines of the table; empty lines are none, an empty number is the usual one."""
    found = []
    for line in lines:
        filled = {k: line[k] for k in COLUMNS if line.get(k) not in (None, "")}
        if filled:
            texts = {k: str(filled.get(k, "")).strip() for k in ("name", "description")}
            found.append({**texts, **{k: float(v) for k, v in filled.items() if k not in texts}})
    return found


def check(cls: type[Method], values: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is wrong with a rubric: field → sentences, "" for its parts together; {} when nothing is."""
    try:
        cls.model_validate(dict(values))
    except ValidationError as error:
        found: dict[str, list[str]] = {}
        for part in error.errors(include_url=False):
            place = part["loc"]
            message = str(part["msg"]).removeprefix("Value error, ")
            said = f"line {place[1] + 1}: {message}" if len(place) > 1 and isinstance(place[1], int) else message
            if len(place) > 2:
                said = f"line {int(place[1]) + 1}, {place[2]}: {message}"
            found.setdefault(str(place[0]) if place else "", []).append(said)
        return found
    return {}


def to_yaml(values: Mapping[str, Any]) -> str:
    """A rubric as a file that people can read and edit."""
    return yaml.safe_dump({f: values[f] for f in FIELDS if f in values}, sort_keys=False, allow_unicode=True, width=100)


def from_yaml(text: str, cls: type[Method]) -> dict[str, Any]:
    """A rubric from such a file.

    Raises:
        CurationError: if it is none, naming the place.
    """
    hint = "a rubric is YAML with a list `criteria`, each with a name; see one that was saved here"
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise CurationError(f"this is not YAML{f' (line {mark.line + 1})' if mark else ''}", hint) from None
    if not isinstance(found, dict) or not set(found) <= set(FIELDS) or not isinstance(found.get("criteria"), list):
        raise CurationError("this is not a rubric", hint)
    wrong = check(cls, found)
    if wrong:
        raise CurationError("; ".join(f"{f}: {m[0]}" if f else m[0] for f, m in wrong.items()), hint)
    made = cls.model_validate(found).model_dump(mode="json")
    return {f: made[f] for f in FIELDS}


def saved(workspace: Workspace) -> list[str]:
    """Names of the rubrics in the workspace."""
    return sorted(p.stem for p in (workspace.root / "rubrics").glob("*.yaml"))


def save(workspace: Workspace, name: str, values: Mapping[str, Any]) -> None:
    """Keep a rubric in the workspace under a name.

    Raises:
        CurationError: if the name is none, or the disk cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise CurationError(f"'{name[:80]}' is no name for a rubric", "letters, digits, blanks, . _ -")
    folder = workspace.root / "rubrics"
    try:
        folder.mkdir(exist_ok=True)
        write_atomically(folder / f"{name}.yaml", to_yaml(values))
    except OSError as error:
        raise machine_problem(error) or error from None


def load(workspace: Workspace, name: str, cls: type[Method]) -> dict[str, Any]:
    """A rubric that was kept.

    Raises:
        CurationError: if it cannot be read any more.
    """
    try:
        text = (workspace.root / "rubrics" / f"{name}.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise machine_problem(error) or CurationError(f"the rubric '{name}' cannot be read") from None
    return from_yaml(text, cls)


# ------------------------------------------------------------------ the editor


def rubric_editor(workspace: Workspace, dataset: Dataset, cls: type[Method]) -> dict[str, Any] | None:
    """Edit the rubric.

    Returns:
        Its fields as a recipe writes them, None while something is wrong, which stands under its part.
    """
    held: dict[str, Any] = st.session_state.setdefault(f"{KEY}.held", _default(cls))
    turn = int(st.session_state.get(f"{KEY}.turn", 0))  # grows with every rubric that is loaded: new widgets
    _files(workspace, cls)
    st.markdown("**Criteria**", help="The judge grades each of them by itself; the score is made from all")
    edited: Any = st.data_editor(
        held["criteria"], key=f"{KEY}.table.{turn}", num_rows="dynamic", hide_index=True, width="stretch",
        column_order=COLUMNS,
        column_config={
            "name": st.column_config.TextColumn("Name", width=120, max_chars=60, required=True),
            "description": st.column_config.TextColumn("What the judge should look at", width=330, max_chars=2000),
            "weight": st.column_config.NumberColumn("Weight", width=60, min_value=0, default=1.0),
            "low": st.column_config.NumberColumn("Lowest", width=60, default=1.0),
            "high": st.column_config.NumberColumn("Highest", width=60, default=5.0),
        },
    )  # fmt: skip
    below_table = st.container()
    instructions = st.text_area(
        "Instructions", held["instructions"], key=f"{KEY}.instructions.{turn}", height=90, max_chars=10_000,
        persist_state="session",
        placeholder="What the judge should know about these rows: for whom they are, what matters, what does not",
    )  # fmt: skip
    form = method_form(
        cls, key=f"{KEY}.form.{turn}", values={f: held[f] for f in ("aggregate", "reasons")},
        hide=[f for f in cls.model_fields if f not in ("aggregate", "reasons")],
    )  # fmt: skip
    criteria = criteria_of(edited)
    examples = _examples(dataset, held, [c["name"] for c in criteria], turn)
    below_examples = st.container()
    values = {
        "criteria": criteria, "examples": examples, "instructions": instructions,
        "aggregate": form.values["aggregate"], "reasons": form.values["reasons"],
    }  # fmt: skip
    wrong = check(cls, values)
    for field, messages in wrong.items():
        place = below_examples if field == "examples" or "example " in messages[0] else below_table
        for message in messages:
            place.error(plain(message[:1].upper() + message[1:]), icon=":material/error:")
    st.session_state[f"{KEY}.now"] = None if wrong else values
    return None if wrong else values


def _default(cls: type[Method]) -> dict[str, Any]:
    made = cls().model_dump(mode="json")
    return {f: made[f] for f in FIELDS}


def _hold(values: Mapping[str, Any]) -> None:
    st.session_state[f"{KEY}.held"] = dict(values)
    st.session_state[f"{KEY}.turn"] = int(st.session_state.get(f"{KEY}.turn", 0)) + 1


def _files(workspace: Workspace, cls: type[Method]) -> None:
    """Load, save, download, upload."""
    now = st.session_state.get(f"{KEY}.now")
    there = saved(workspace)
    with st.container(horizontal=True, gap="small", key=f"{KEY}.files"):
        with st.popover("Load", icon=":material/folder_open:", key=f"{KEY}.load"):
            name = st.selectbox("Kept in this workspace", there, key=f"{KEY}.name", placeholder="none yet")
            if st.button("Load it", key=f"{KEY}.load.go", disabled=not there):
                _carry_out(lambda: _hold(load(workspace, str(name), cls)))
            file = st.file_uploader("Or a file", ["yaml", "yml"], key=f"{KEY}.file")
            if st.button("Load the file", key=f"{KEY}.file.go", disabled=file is None) and file is not None:
                text = file.getvalue()[:MOST_BYTES].decode("utf-8", "replace")
                _carry_out(lambda: _hold(from_yaml(text, cls)))
        with st.popover("Save", icon=":material/save:", key=f"{KEY}.save", disabled=now is None):
            wanted = st.text_input("Name", key=f"{KEY}.as", max_chars=60, placeholder="my rubric")
            if st.button("Save it in this workspace", key=f"{KEY}.save.go", disabled=not wanted):
                _carry_out(lambda: save(workspace, str(wanted).strip(), now or {}))
        st.download_button(
            "Download", to_yaml(now or {}), "rubric.yaml", "application/yaml", icon=":material/download:",
            key=f"{KEY}.download", disabled=now is None, on_click="ignore",
        )  # fmt: skip


def _carry_out(what: Any) -> None:
    try:
        what()
    except CurationError as error:
        error_box(error)
    else:
        st.rerun()


def _examples(dataset: Dataset, held: dict[str, Any], names: Sequence[str], turn: int) -> list[dict[str, Any]]:
    """Rows that were graded by hand, for the judge to go by."""
    kept: list[dict[str, Any]] = held["examples"]
    with st.expander(f"Worked examples ({len(kept)})", icon=":material/school:"):
        st.caption("A few rows with the scores that you would give help the judge more than long descriptions.")
        found = []
        for place, example in enumerate(kept):
            found.append(_example(example, place, names, turn))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            row = st.number_input("Row", 0, len(dataset) - 1, key=f"{KEY}.example.row", width=140)
            if st.button("Add this row as an example", icon=":material/add:", key=f"{KEY}.example.add"):
                text = f"{dataset.texts('prompt')[int(row)]}\n\n{dataset.texts('response')[int(row)]}"
                held["examples"] = [*found, {"text": text[:20_000], "scores": {}, "why": ""}]
                st.rerun()
            if kept and st.button("Remove the last", icon=":material/delete:", key=f"{KEY}.example.drop"):
                held["examples"] = found[:-1]
                st.rerun()
    return found


def _example(example: Mapping[str, Any], place: int, names: Sequence[str], turn: int) -> dict[str, Any]:
    key = f"{KEY}.example.{turn}.{place}"
    with st.container(border=True, key=key):
        text = st.text_area(
            f"Example {place + 1}", example["text"], key=f"{key}.text", height=120, max_chars=20_000,
            persist_state="session",
        )  # fmt: skip
        scores: dict[str, float] = {}
        with st.container(horizontal=True, gap="small"):
            for name in names:
                value = st.number_input(
                    plain(name) or "…", value=example["scores"].get(name), key=f"{key}.score.{name}", width=130,
                    persist_state="session", placeholder="score",
                )  # fmt: skip
                if value is not None:
                    scores[name] = float(value)
        why = st.text_input(
            "Why", example["why"], key=f"{key}.why", max_chars=4000, persist_state="session",
            placeholder="the reasons, in a sentence",
        )  # fmt: skip
    return {"text": text, "scores": scores, "why": why}
