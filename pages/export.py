"""Export: the rows in the form that a trainer reads, checked by its own rules."""

from curation.ui import session
from curation.ui.components import page_header
from curation.ui.export_view import ask_what, show_look, write_panel

page_header(
    "Export",
    "Choose rows, format and trainer. The trainer's own acceptance rules are applied first, so that nothing is dropped "
    "in silence later.",
    icon=":material/ios_share:",
)
dataset = session.need_dataset()
workspace = session.workspace()
order = ask_what(dataset)
if order is not None:
    show_look(dataset, order)
    write_panel(workspace, dataset, order)
