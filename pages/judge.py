"""Judge: a chat model reads the rows; who, by what rubric, at what cost, and how far its scores can be trusted."""

from curation.ui import session
from curation.ui.components import page_header
from curation.ui.judge_page import judge_page

page_header(
    "Judge",
    "Let a chat model read every row and score it. Connect one, try it on five rows, see what all would cost, "
    "and check "
    "by hand what its threshold drops.",
    icon=":material/gavel:",
)
judge_page(session.workspace(), session.need_dataset())
