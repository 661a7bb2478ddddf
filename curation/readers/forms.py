"""All forms in the order in which they are tried, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass

from curation.readers import (
    alpaca,
    dolly,
    messages,
    preference,
    prompt_completion,
    sharegpt,
    slots,
    text,
    text_label,
)
from curation.readers._record import Converter, Form, Reject, Sample
from curation.readers.mapping import FormName, Mapping

FORMS: dict[FormName, Form] = {
    module.FORM.name: module.FORM
    for module in (
        preference,  # also has turns or a prompt, so it comes before these
        slots,
        sharegpt,
        messages,
        dolly,  # also has instruction and response, so it comes before Alpaca
        alpaca,
        prompt_completion,
        text_label,
        text,
    )
}
"""Name → form, the most telling first."""


@dataclass(frozen=True)
class Match:
    """How well one form fits the first records.

    Args:
        mapping: Which field plays which role.
        fit: Records that it reads.
        of: Records that were tried.
        why: A sentence for the user.
    """

    mapping: Mapping
    fit: int
    of: int
    why: str


def converter_for(mapping: Mapping) -> Converter:
    """The function that turns records into messages by this mapping."""
    return FORMS[mapping.form].converter(mapping)


def matches(sample: Sample) -> list[Match]:
    """Every form whose fields are there, the chosen one first.

    The most telling form that reads at least half of the records wins; where none does, the one that reads most. A form
    that reads nothing is no match. Cost: each record is read once per form whose fields are there.
    """
    found = []
    for form in FORMS.values():
        mapping = form.guess(sample)
        if mapping is None:
            continue
        convert = form.converter(mapping)
        fit = sum(_reads(convert, record) for record in sample.records)
        if fit:
            of = len(sample.records)
            found.append(Match(mapping, fit, of, f"{_roles(mapping)}; {fit:,} of the first {of:,} records fit"))
    # stable: among those that read half or more, the order of FORMS stays
    found.sort(key=lambda match: (0, 0) if 2 * match.fit >= match.of else (1, -match.fit))
    return found


def _reads(convert: Converter, record: object) -> bool:
    try:
        convert(record)
    except Reject:
        return False
    return True


def _roles(mapping: Mapping) -> str:
    skip = {"form", "role", "content", "weight", "system", "history", "tools", "images"}
    named = {k: v for k, v in mapping.model_dump(exclude_none=True).items() if k not in skip and isinstance(v, str)}
    return ", ".join(k if k == v else f"{k} = {v}" for k, v in named.items())
