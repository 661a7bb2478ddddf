"""What fields and inputs of methods are called in forms, where the recipe's short name says too little.

A recipe writes the symbol of the paper or one word (`b`, `alpha`, `of`); a form has room to say what it does. The
question mark beside a renamed field still tells the recipe's name, so that both can be found.
"""

from __future__ import annotations

from curation.core.method import Method

FIELDS: dict[str, str] = {
    "audit": "Share judged twice",
    "column": "Column of the score",
    "compat": "Published code's quirks",
    "copies": "When only copies are left",
    "say_step": "Tell the judge the step",
    "generator/answer.empty": "Empty answers",
    "generator/answer.max_new_tokens": "Longest answer (tokens)",
    "generator/chat.empty": "Empty answers",
    "generator/chat.max_tokens": "Longest answer (tokens)",
    "scorer/alpagasus.arrangement": "Where the row stands",
    "scorer/alpagasus.digits": "Digits that are read",
    "scorer/alpagasus.expected": "Score taken from",
    "scorer/alpagasus.high": "Highest score",
    "scorer/alpagasus.low": "Lowest score",
    "scorer/alpagasus.step": "Step of the scale",
    "scorer/distilled.coverage": "Share of scores inside the intervals",
    "scorer/distilled.dims": "Components",
    "scorer/distilled.keep_judged": "Judged rows keep the judge's score",
    "scorer/distilled.learner": "Model of the judge",
    "scorer/distilled.more": "Further judgements to look ahead",
    "scorer/distilled.threshold": "Good from this score on",
    "scorer/from-children.aggregate": "Of several made rows",
    "scorer/rubric.aggregate": "How criteria become one score",
    "selector/acquire.dims": "Components",
    "selector/acquire.near": "Weight of closeness to the threshold",
    "selector/acquire.random_share": "Share drawn by chance",
    "selector/acquire.threshold": "Good from this score on",
    "selector/bayes-coreset.finish": "Weights at the end",
    "selector/bayes-coreset.samples": "Draws from the posterior",
    "selector/bayes-logdet.dims": "Components",
    "selector/bayes-logdet.noise": "Noise variance",
    "selector/bayes-logdet.prior": "Prior precision",
    "selector/conformal.known": "Take judged rows that are good",
    "selector/conformal.rate": "False-discovery rate (q)",
    "selector/conformal.threshold": "Good from this score on",
    "selector/deft-ucs.easy": "Share of typical rows",
    "selector/deft-ucs.hard": "Share of odd rows",
    "selector/diverse-filter.curve": "Count what other limits would keep",
    "selector/diverse-filter.max_similarity": "Highest similarity allowed",
    "selector/facility-location.cover": "Rows to represent",
    "selector/facility-location.epsilon": "Loss allowed (ε)",
    "selector/facility-location.method": "Search",
    "selector/facility-location.pairs": "Pairs compared",
    "selector/facility-location.similarity": "Similarity of two rows",
    "selector/mig.a": "Offset of information (a)",
    "selector/mig.b": "Power of information (b)",
    "selector/mig.gamma": "Weight of links (γ)",
    "selector/mig.per_tag": "Divide quality by number of tags",
    "selector/mig.similarity": "Link tags from cosine",
    "selector/modn.start": "First pick",
    "selector/qdit.alpha": "Weight of quality (α)",
    "selector/qdit.pairs": "Pairs compared",
    "selector/qdit.scale": "Scale of the two terms",
    "selector/qdit.similarity": "Similarity of two rows",
    "selector/rds.aggregate": "How queries share the picks",
    "selector/semdedup.epsilon": "Distance of duplicates (ε)",
    "selector/semdedup.keep": "Which row stays",
    "selector/spaced.each": "Rows of every label",
    "selector/top-per-label.each": "Rows of every label",
    "selector/tsds.alpha": "Closeness to the queries (α)",
    "selector/tsds.density_neighbours": "Near-duplicates counted",
    "selector/tsds.prefetch": "Candidates of each query",
    "selector/tsds.scale": "Scale of distances (C)",
    "selector/tsds.sigma": "Distance of near-duplicates (σ)",
    "tries": "Tries until a reply can be read",
}
"""Field, or METHOD.FIELD where the word means something else elsewhere → its label."""
PORTS: dict[str, str] = {
    "already": "Picked before",
    "features": "Vectors",
    "neighbours": "Graph of neighbours",
    "queries": "Queries: vectors of another dataset",
    "query_tasks": "Tasks of the queries",
    "targets": "Targets: a selection of this dataset",
    "warmup": "Warm-up with its checkpoints",
    "scorer/distilled.calibration": "Judge's scores of rows drawn at random",
    "scorer/distilled.judged": "Judge's scores to learn from",
    "scorer/from-children.made": "Made rows",
    "scorer/from-children.score": "Score of the made rows",
    "scorer/gradient-match.subtasks": "Subtask of every target row",
    "scorer/gradient-match.target": "Dataset with the target rows",
    "scorer/gradient-match.targets": "Which of them are targets",
    "scorer/less.features": "Gradient features of the rows",
    "scorer/less.subtasks": "Subtask of every target row",
    "scorer/less.target_features": "Gradient features of the target rows",
    "scorer/tracin.features": "Gradient features of the rows",
    "scorer/tracin.subtasks": "Subtask of every target row",
    "scorer/tracin.target_features": "Gradient features of the target rows",
    "scorer/trained-judge.example_scores": "Scores of the examples",
    "scorer/trained-judge.examples": "Examples: vectors of another dataset",
    "scorer/trained-judge.families": "Which examples are siblings",
    "selector/acquire.distilled": "Distilled judge",
    "selector/acquire.exclude": "Never pick rows of",
    "selector/conformal.calibration": "Judge's scores of rows drawn at random",
    "selector/conformal.distilled": "Distilled judge",
    "selector/conformal.judged": "Judge's scores that were learnt from",
    "selector/consensus.of": "Selections",
    "selector/deft-ucs.base": "Base, drawn before",
    "selector/intersect.of": "Selections",
    "selector/minus.of": "Take rows from",
    "selector/minus.without": "Without the rows of",
    "selector/union.of": "Selections",
}
"""The same for what a method reads."""


def title(name: str) -> str:
    """A field's name as a label."""
    return name.replace("_", " ").capitalize()


def field_title(method: type, name: str) -> str:
    """The label of a field."""
    return _word(FIELDS, method, name)


def port_title(method: type, name: str) -> str:
    """The label of an input."""
    return _word(PORTS, method, name)


def recipe_name(method: type, name: str) -> str:
    """The recipe's name of a renamed field, as a sentence for the help; "" for one that bears its own name."""
    return "" if field_title(method, name) == title(name) else f"In recipes: {name}."


def _word(words: dict[str, str], method: type, name: str) -> str:
    use = method.use() if issubclass(method, Method) else ""
    return words.get(f"{use}.{name}") or words.get(name) or title(name)
