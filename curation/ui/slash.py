"""The key / puts the keyboard into a text field, as on many sites; Streamlit's shortcuts know letters only.

Works in the browser alone: no message is sent.
"""

from __future__ import annotations

import re

import streamlit as st

_JS = """
export default function ({ data, parentElement }) {
  const typing = (node) =>
    node instanceof HTMLElement &&
    (node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName));
  const press = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.composedPath()[0])) return;
    const place = document.getElementsByClassName("st-key-" + data.key)[0];
    const field = place && place.querySelector("textarea, input");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}
"""
_slash = st.components.v2.component("curation.slash", html="<i hidden></i>", js=_JS)


def slash(field: str, *, key: str) -> None:
    """Let / focus a text field.

    Args:
        field: Its key.
        key: Of this.
    """
    _slash(
        key=key, width="content", height="content", data={"key": re.sub("[^a-zA-Z0-9_-]", "-", field)}
    )  # as Streamlit names the class
