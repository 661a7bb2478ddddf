"""Keeping keys out of everything that is written down."""

from __future__ import annotations

import re

HIDDEN = "[key hidden]"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PREFIXES = re.compile(
    r"(sk|pk|rk|gsk|xai|hf|ghp|gho|glpat|nvapi|AIza|AKIA|pplx|r8|fw|csk|tgp|key)[-_]?[A-Za-z0-9]", re.ASCII
)
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|nvapi|pplx|glpat|csk)-[\w*.\-]{3,}|\b(?:hf|gsk|ghp|gho|r8|fw)_\w{16,}|\bAIza[\w\-]{20,}|\beyJ[\w\-]{12,}"
    r"|\b(?:Bearer|Basic)\s+[\w\-.~+/=*]{4,}",
    re.ASCII | re.IGNORECASE,
)


def is_variable(text: str) -> bool:
    """Whether a text can name an environment variable and does not look like a secret itself."""
    return bool(_VARIABLE.fullmatch(text)) and not looks_secret(text)


def looks_secret(text: str) -> bool:
    """Whether a text looks like a key rather than a name: a known beginning, or long and of mixed characters."""
    if _SECRETS.search(text):
        return True
    kinds = [any(map(test, text)) for test in (str.isdigit, str.islower, str.isupper)]
    mixed = all(kinds) or (sum(kinds) >= 2 and "_" not in text and sum(map(str.isdigit, text)) >= 4)
    if _PREFIXES.match(text) and len(text) >= 12 and mixed:
        return True
    run = max(re.split(r"[^A-Za-z0-9]", text), key=len)
    digits = sum(map(str.isdigit, run))
    if len(run) < 20 or digits == len(run):
        return False
    return digits >= 3 or (digits >= 2 and kinds[1] and kinds[2])


def holds_key(text: str) -> bool:
    """Whether a text holds something with the beginning of a known kind of key; long numbers may be ids."""
    return bool(_SECRETS.search(text))


def scrubbed(text: str, secret: str = "") -> str:
    """A text of a server without the key, without anything that looks like one and without control characters."""
    if secret:
        text = text.replace(secret, HIDDEN)
    text = _SECRETS.sub(HIDDEN, text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
