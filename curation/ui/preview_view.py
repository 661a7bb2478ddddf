"""A look at files before they are added: what was detected, first rows, what would be rejected, and the mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from curation.core.dataset import prompt_of, response_of
from curation.core.errors import DataError
from curation.readers import Mapping, Preview, Rejected, SourcePreview, preview
from curation.readers.forms import FORMS
from curation.readers.mapping import NEEDS
from curation.ui.components import Tile, error_box, errors_shown, stat_tiles
from curation.ui.text import number, one_line, plain
from curation.ui.words import title

NOT_READ = "(not read)"


@dataclass(frozen=True)
class Choice:
    """What the user settled on.

    Args:
        given: Mappings that the user corrected, by source label; None when detection stands.
        usable: False while a source has no form or a mapping is wrong.
    """

    given: dict[str, Mapping] | None
    usable: bool


def preview_panel(paths: Sequence[str], *, key: str) -> Choice:
    """Show what the files hold and let the user correct how they are read.

    Args:
        paths: Files, folders or hub ids.
        key: Prefix of the widgets' keys.
    """
    given = _corrected(paths, key)
    with errors_shown():
        seen = _look(paths, given)
        return _show(seen, given, key)
    return Choice(None, usable=False)


def _corrected(paths: Sequence[str], key: str) -> dict[str, Mapping]:
    """Mappings that were corrected before, for these paths."""
    kept = st.session_state.setdefault(f"{key}.given", {})
    if st.session_state.get(f"{key}.paths") != list(paths):
        st.session_state[f"{key}.paths"] = list(paths)
        kept.clear()
    return dict(kept)


def _look(paths: Sequence[str], given: Dict[str, Mapping]) -> Preview:
    stamps = tuple((p.stat().st_size, p.stat().st_mtime_ns) if (p := Path(path)).exists() else None for path in paths)
    mappings = json.dumps({label: m.model_dump() for label, m in given.items()}, sort_keys=True)
    return _cached_look(tuple(paths), stamps, mappings)


@st.cache_resource(max_entries=8, show_spinner="Looking at the files …")
def _cached_look(paths: tuple[str, ...], stamps: tuple[Any, ...], mappings: str) -> Preview:
    given = {label: Mapping.model_validate(m) for label, m in json.loads(mappings).items()}
    return preview(list(paths), given or None)


def _show(seen: Preview, given: dict[str, Mapping], key: str) -> Choice:
    looked = sum(s.looked_at for s in seen.sources)
    stat_tiles(
        [
            Tile("Records", "not counted" if seen.total is None else number(seen.total)),
            Tile("Would be rejected", number(seen.rejected), note=f"of the first {looked:,}"),
            Tile("Read as", ", ".join(sorted({s.form or "unknown" for s in seen.sources}))),
        ]
    )
    usable = True
    for i, source in enumerate(seen.sources):
        if len(seen.sources) == 1:
            usable &= _source(source, given, f"{key}.{i}")
            continue
        count = "" if source.total is None else f": {source.total:,} records"
        icon = ":material/error:" if source.form is None else ":material/description:"
        with st.expander(f"{plain(source.label)}{count}", icon=icon, expanded=source.form is None or i == 0):
            usable &= _source(source, given, f"{key}.{i}")
    return Choice(given or None, usable)


def _source(source: SourcePreview, given: dict[str, Mapping], key: str) -> bool:
    """One source; returns False while it cannot be read."""
    if source.form is None:
        error_box(DataError(source.why, "say below which field is what"))
    else:
        why = "as you said" if source.label in given else source.why
        st.markdown(f":green[:material/check_circle:] **{plain(FORMS[source.form].title)}** · {plain(why)}")
    for note in source.notes:
        st.caption(f":material/info: {plain(note)}")
    if source.rows:
        st.dataframe(
            [
                {"prompt": one_line(prompt_of(r.messages), 300), "response": one_line(response_of(r.messages), 300)}
                for r in source.rows
            ],
            hide_index=True,
            alt="First rows as they would be read",
        )
    if source.rejected:
        rejected_table(source.examples, source.reasons)
    # a source that cannot be read shows its fields at once, so that nobody looks for the way out
    with st.expander("Read the fields differently", icon=":material/edit:", expanded=source.form is None):
        _mapping_form(source, given, key)
    return source.form is not None and bool(source.rows)


def rejected_table(examples: Sequence[Rejected | Dict[str, Any]], reasons: Dict[str, int] | None = None) -> None:
    """Records that could not become rows, with their place and reason."""
    for reason, count in (reasons or {}).items():
        st.markdown(f":orange[:material/block:] {count:,} × {plain(reason)}")
    rows = [e if isinstance(e, dict) else vars(e) for e in examples]
    st.dataframe(
        [
            {
                "source": r["source"],
                "line": r["line"],
                "field": r["field"] or "",
                "why": r["reason"],
                "text": one_line(r["excerpt"], 300),
            }
            for r in rows
        ],
        hide_index=True,
        alt="Rejected records",
    )


def _mapping_form(source: SourcePreview, given: dict[str, Mapping], key: str) -> None:
    forms = list(FORMS)
    now = given.get(source.label) or source.mapping
    known = {m.form: m for m in ([now] if now else []) + [match.mapping for match in source.others]}
    form = st.selectbox(
        "Form",
        forms,
        forms.index(now.form) if now else 0,
        format_func=lambda f: FORMS[f].title + (" · fits" if f in known else ""),
        key=f"{key}.form",
    )
    required, optional = NEEDS[form]
    start = known.get(form)
    values: dict[str, Any] = {"form": form, "header": now.header if now else None}
    places = st.columns(3)
    for i, role in enumerate((*required, *optional)):
        info = Mapping.model_fields[role]
        if role in ("roles", "label_names"):
            values[role] = getattr(start, role) if start else info.get_default(call_default_factory=True)
            continue
        current = getattr(start, role) if start else None
        options = [NOT_READ, *dict.fromkeys([*source.fields, *([current] if current else [])])]
        chosen = places[i % 3].selectbox(
            title(role) + (" (needed)" if role in required else ""),
            options,
            options.index(current) if current else 0,
            key=f"{key}.{form}.{role}",
            help=plain(info.description or ""),
            accept_new_options=True,
        )
        values[role] = None if chosen in (None, NOT_READ) else chosen
    with errors_shown():
        mapping = Mapping.of(values)
        changed = mapping != now
        with st.container(horizontal=True):
            if st.button("Read it this way", key=f"{key}.apply", disabled=not changed, icon=":material/refresh:"):
                _remember(key, source.label, mapping)
            if source.label in given and st.button("Back to what was detected", key=f"{key}.reset", type="tertiary"):
                _remember(key, source.label, None)


def _remember(key: str, label: str, mapping: Mapping | None) -> None:
    kept = st.session_state[f"{key.rpartition('.')[0]}.given"]
    if mapping is None:
        kept.pop(label, None)
    else:
        kept[label] = mapping
    st.rerun()
