"""Hostile, long and foreign texts in a real browser, and decisions by key."""

import json
import re

import pytest

from curation.workspace import Workspace

pytestmark = pytest.mark.browser

ATTACK = (
    "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script> "
    "[click](javascript:document.title='hacked') ![x](http://evil.test/q.png) http://evil.test/p.png"
)
CODE = "Run \u202egnp.exe\u202c now.\n\n```html\n<img src=x onerror=alert(1)>\n```\nDone 😀 river"
CALL = {"name": "weather", "arguments": {"city": "Paris"}}
ROWS = [
    [("user", ATTACK), ("assistant", CODE)],
    [("user", "اكتب عن البحر\nand in English"), ("assistant", "海は広い。")],
    [("user", "Long?"), ("assistant", "\n\n".join(f"Paragraph {i}. " + "The mill turned. " * 20 for i in range(30)))],
    [("user", "A river 😀😀 a RIVER"), ("assistant", "Two rivers.")],
]  # fmt: skip


@pytest.fixture
def page(tab, serve, tmp_path):
    records = [{"messages": [{"role": r, "content": c} for r, c in row]} for row in ROWS]
    records.append({"messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look"},
                                     {"type": "image_url", "image_url": {"url": "http://evil.test/i.png"}}]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": '{"temp":21}', "name": "weather"},
        {"role": "assistant", "content": "21 °C"},
    ]})  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, records)))
    workspace = Workspace.open(tmp_path / "workspace")
    tab.dataset = workspace.add(tmp_path / "rows.jsonl").dataset
    tab.log = workspace.decisions(tab.dataset)
    tab.address = serve(workspace.root)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return tab


def read(page, row, query=""):
    """Open the Data page and click a row of its table."""
    page.goto(f"{page.address}/data{query}")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    page.wait_for_timeout(2000)
    box = table.bounding_box()
    height = (box["height"] - 2) / (len(ROWS) + 2) if not query else 35
    page.mouse.move(box["x"] + 200, box["y"] + height * (row + 1) + 10)
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + 250, box["y"] + height * (row + 1) + height / 2)
    page.locator(".conversation article").first.wait_for()
    return page.locator(".conversation")


def head(page):
    return page.locator(".st-key-data-row-head")


def test_hostile_text_is_text_and_what_turns_it_is_seen(page):
    shown = read(page, 0)
    page.wait_for_timeout(1000)
    assert shown.locator("article.user .text").inner_text() == ATTACK
    assert shown.locator("img, script, a, iframe, object").count() == 0
    assert page.title() != "hacked"
    assert shown.locator(".unseen").all_inner_texts() == ["\\u202e", "\\u202c"]
    code = shown.locator("article.assistant pre")
    assert code.inner_text() == "<img src=x onerror=alert(1)>"
    assert "mono" in code.evaluate("e => getComputedStyle(e).fontFamily").lower()
    assert shown.locator(".code-title").inner_text() == "html"
    shown.get_by_label("Copy this message").nth(1).click()
    shown.get_by_label("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == ROWS[0][1][1]


def test_every_line_has_its_own_direction(page):
    text = read(page, 1).locator("article.user .text")
    assert text.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
    left = text.evaluate("""e => {
        const node = e.firstChild, first = node.data.indexOf("\\n"), range = document.createRange();
        return [[0, first], [first + 1, node.data.length]].map(([a, b]) => {
            range.setStart(node, a); range.setEnd(node, b);
            const line = range.getBoundingClientRect(), box = e.getBoundingClientRect();
            return [line.left - box.left, box.right - line.right];
        });
    }""")
    assert left[0][1] < 2 < left[0][0]  # Arabic stands at the right
    assert left[1][0] < 2 < left[1][1]  # English at the left


def test_a_long_message_is_folded_and_unfolded_by_key(page):
    shown = read(page, 2)
    body, more = shown.locator("article.assistant .body"), shown.locator("button.more")
    folded = body.bounding_box()["height"]
    assert re.fullmatch(r"Show all [\d,]+ characters", more.inner_text())
    more.focus()
    page.keyboard.press("Enter")
    assert more.get_attribute("aria-expanded") == "true"
    assert body.bounding_box()["height"] > 2 * folded
    page.keyboard.press("Enter")
    assert body.bounding_box()["height"] == folded


def test_marks_stand_where_the_words_do_behind_wide_characters(page):
    shown = read(page, 1, "?data.find=river")  # the second row that is found
    assert shown.locator("mark").all_inner_texts() == ["river", "RIVER", "river"]
    shown.locator("article.user .badge").get_by_text("2 found").wait_for()


def test_tools_are_laid_out_and_images_not_loaded(page):
    shown = read(page, 4)
    assert shown.locator(".call .code-title").inner_text() == "calls weather"
    assert json.loads(shown.locator(".call pre").inner_text()) == {"city": "Paris"}
    assert shown.locator("article.tool pre").inner_text() == '{\n  "temp": 21\n}'
    assert shown.locator(".part").inner_text() == "image_url · not loaded · http://evil.test/i.png"
    shown.get_by_label("Copy this message").nth(2).click()
    shown.get_by_label("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == '{"temp":21}'


def test_decisions_by_key_with_undo_and_a_note(page):
    read(page, 0)
    pills = page.locator(".st-key-data-pills")
    head(page).get_by_text("Row 0", exact=True).wait_for()
    page.keyboard.press("d")
    head(page).get_by_text("Row 1", exact=True).wait_for()
    page.keyboard.press("k")
    head(page).get_by_text("Row 2", exact=True).wait_for()
    assert (page.log.state().dropped.tolist(), page.log.state().kept.tolist()) == ([0], [1])
    pills.get_by_text("1 dropped").wait_for()
    page.keyboard.press("Control+z")
    head(page).get_by_text("Row 1", exact=True).wait_for()
    assert page.log.state().kept.tolist() == []
    page.keyboard.press("Control+Shift+z")
    pills.get_by_text("1 kept").wait_for()
    page.keyboard.press("h")
    head(page).get_by_text("Row 0", exact=True).wait_for()
    page.keyboard.press("n")
    page.locator("textarea:focus").wait_for()
    page.keyboard.type("dk odd")  # letters go into the note, not to the buttons
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-data-row-noted").get_by_text("dk odd").wait_for()
    state = page.log.state()
    assert (state.notes, state.kept.tolist(), state.dropped.tolist()) == ({0: "dk odd"}, [1], [0])
    assert [e.action for e in page.log.events()] == ["drop", "keep", "undo", "redo", "note"]
