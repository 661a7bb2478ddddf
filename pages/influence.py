"""Influence: which rows would lower the loss on a target, by gradients of a model that was warmed up on the pool."""

from curation.ui import session
from curation.ui.components import page_header
from curation.ui.influence_page import influence_page

page_header(
    "Influence",
    "Choose a few rows that show what the model shall learn. Every row of the pool is then scored by how much a "
    "training step on it would lower the loss on them; see which target examples the best rows serve, and keep them.",
    icon=":material/my_location:",
)
influence_page(session.workspace(), session.need_dataset())
