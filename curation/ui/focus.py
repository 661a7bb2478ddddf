"""Puts the keyboard into a text field, once for every new turn: Streamlit has no word for it."""

from __future__ import annotations

import re

import streamlit as st

_JS = """
export default function ({ data, parentElement }) {
  const anchor = parentElement.querySelector("i");
  if (anchor.dataset.turn === String(data.turn)) return;
  anchor.dataset.turn = String(data.turn);
  let tries = 0;
  const find = () => {
    const place = document.getElementsByClassName("st-key-" + data.key)[0];
    const field = place && place.querySelector("textarea, input");
    if (field) {
      field.focus();
      if (field.setSelectionRange) field.setSelectionRange(field.value.length, field.value.length);
    } else if (tries++ < 20) setTimeout(find, 50);
  };
  find();
}
"""
_focus = st.components.v2.component("curation.focus", html="<i hidden></i>", js=_JS)


def focus(field: str, turn: int, *, key: str) -> None:
    """Focus the text field with a key.

    Args:
        field: Its key.
        turn: Grows whenever the field is to be focused anew.
        key: Of this.
    """
    _focus(key=key, data={"key": re.sub("[^a-zA-Z0-9_-]", "-", field), "turn": turn})  # as Streamlit names the class
