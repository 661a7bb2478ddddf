"""Colours stay apart for every kind of sight, on both backgrounds; dataset text never acts as markup."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.figures import palette

# Simulation matrices on linear RGB at full strength: G. Machado, M. Oliveira, L. Fernandes (2009), table 1
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    return np.cbrt(np.asarray(rgb) @ np.transpose(TO_LMS)) @ np.transpose(TO_OKLAB)


def contrast(a, b):
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
def test_categories_stay_apart(sight):
    seen = oklab([np.clip(np.asarray(SIGHT[sight]) @ linear(c), 0, 1) for c in palette.CATEGORICAL])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    assert apart.min() > 0.075  # 0.02 is about the smallest difference that side-by-side patches can show


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_with_the_background(mode):
    c = palette.colours(mode)
    assert contrast(c.text, c.background) >= 7
    assert contrast(c.muted, c.background) >= 4.5
    assert contrast(c.main, c.background) >= 3
    assert contrast(c.selected, c.background) >= 3
    assert min(contrast(colour, c.background) for colour in palette.CATEGORICAL) >= 2.2
    assert contrast(c.context, c.background) < contrast(c.selected, c.background)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_high_scores_are_lighter_than_low_ones(mode):
    lightness = [oklab(linear(c))[0] for c in palette.colours(mode).sequential]
    assert all(np.diff(lightness) > 0.01)


def test_theme_file_has_the_same_colours():
    theme = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())["theme"]
    assert tuple(theme["chartCategoricalColors"]) == palette.CATEGORICAL
    for mode in ("light", "dark"):
        c = palette.colours(mode)
        assert theme[mode]["backgroundColor"] == c.background
        assert theme[mode]["textColor"] == c.text
        assert tuple(theme[mode]["chartSequentialColors"]) == c.sequential


def test_theme_file_is_safe():
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    server = config["server"]
    assert server["address"] == "127.0.0.1"
    assert server["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert server["enableCORS"] is server["enableXsrfProtection"] is True
    assert server["enableStaticServing"] is False
    assert config["browser"]["gatherUsageStats"] is False


HOSTILE = [
    "<b>bold</b><br>next",
    '<a href="https://x.test">click</a>',
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt; already escaped",
    "$\\frac{1}{2}$ and $x$",
    "line\nbreak\ttab\x00nul\x1b[31m",
    "abc\u202etxt.exe",
    "%{x} {y}",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", [palette.plain, palette.wrapped])
def test_hostile_text_is_inert(text, make):
    shown = make(text).replace("<br>", "")
    assert not set("<>$\n\t\x00\x1b\u202e") & set(shown)
    assert all(rest.split(";")[0] in ("amp", "lt", "gt", "#36") for rest in shown.split("&")[1:])


def test_text_is_cut_before_it_is_escaped():
    assert palette.plain("<" * 50, limit=10) == "&lt;" * 9 + "…"
    assert palette.wrapped("&" * 50, limit=10) == "&amp;" * 9 + "…"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.integers(2, 40), st.integers(1, 300))
def test_wrapped_lines_fit_and_lose_nothing(text, width, limit):
    lines = palette.wrapped(text, width=width, limit=limit).split("<br>")
    bare = [s.replace("&lt;", "<").replace("&gt;", ">").replace("&#36;", "$").replace("&amp;", "&") for s in lines]
    assert all(palette.columns(line) <= width for line in bare)
    words = " ".join(text[: 4 * limit].translate(palette._SHOWN).split())
    expected = words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
    assert "".join(bare).replace(" ", "") == expected.replace(" ", "")


def test_wide_letters_count_twice():
    assert palette.wrapped("数据数据数据", width=8) == "数据数据<br>数据"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figures_are_transparent_and_explain_emptiness(mode):
    fig = palette.explained(mode, "Nothing here <b>yet</b>")
    template = fig.layout.template.layout
    assert template.paper_bgcolor == template.plot_bgcolor == "rgba(0,0,0,0)"
    assert fig.layout.annotations[0].text == "Nothing here &lt;b&gt;yet&lt;/b&gt;"
