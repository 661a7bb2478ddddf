"""Language of a row, from its letters alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset, WhichText
from curation.core.errors import CurationError
from curation.core.method import Labeller
from curation.core.runtime import Runtime

UNKNOWN = "und"
"""ISO 639's code for "undetermined": no letters, too few, a close call, or no human language at all."""

LANGUAGES = (
    "af", "am", "ar", "az", "be", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fa",
    "fi", "fr", "ga", "gl", "gu", "ha", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "km",
    "kn", "ko", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "my", "ne", "nl", "no", "pa", "pl", "pt", "ro",
    "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "uz", "vi", "zh",
)  # fmt: skip
"""Languages told apart by default. Close relatives with little written text (Wu beside Chinese, Nigerian Pidgin beside
English, Latin beside plant names) are left out, because they mostly take rows away from the big one."""

NO_LANGUAGE = "zxx"  # the model's class for numbers, codes and the like
MAX_CHARS = 4000  # more text makes no difference, only time
MIN_BYTES = 6
"""UTF-8 bytes of letters below which nothing is guessed: six Latin letters, three Cyrillic, two Han or Hangul ones."""


def detect(texts: Sequence[str], languages: Sequence[str] = LANGUAGES) -> tuple[list[str], np.ndarray]:
    """The most likely language of each text, and how sure that is.

    Naive Bayes over byte n-grams (Lui & Baldwin 2012), its probabilities tempered by length. Cost: about 0.5 µs a
    character up to `MAX_CHARS`, in one core.

    Args:
        texts: Any strings.
        languages: ISO 639 codes to choose from; empty = all that the model knows.

    Returns:
        The code of each text, "und" under `MIN_BYTES` of letters and for text that is no language; and the probability
        among `languages`, float64 `[n]`, 0 where there were too few letters.

    Raises:
        CurationError: if the model does not know one of the languages.
    """
    identifier = _identifier(tuple(languages))
    found: list[str] = []
    confidence = np.zeros(len(texts))
    for i, text in enumerate(texts):
        start = text[:MAX_CHARS]
        if len("".join(filter(str.isalpha, start)).encode("utf-8", "replace")) < MIN_BYTES:
            found.append(UNKNOWN)
            continue
        code, confidence[i] = identifier.classify(start)
        found.append(UNKNOWN if code == NO_LANGUAGE else code)
    return found, confidence


@lru_cache(8)
def _identifier(languages: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if languages:
        unknown = sorted(set(languages) - set(identifier.labels))
        if unknown:
            known = " ".join(sorted(identifier.labels))
            raise CurationError(f"the language model does not know {', '.join(unknown)}", f"it knows: {known}")
        identifier.set_languages([*languages, NO_LANGUAGE])
    return identifier


class Language(Labeller):
    """Language of the text as an ISO 639 code; "und" where it cannot be told. Column `confidence`: 0 to 1."""

    title: ClassVar[str] = "Language"
    weakness: ClassVar[str] = "One language a row: mixed rows get the larger part; short texts and close relatives err."
    source: ClassVar[str] = "langid.py (Lui & Baldwin 2012, aclanthology.org/P12-3005), in the py3langid package"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("both", description="which text to look at")
    languages: tuple[str, ...] = Field(LANGUAGES, description="codes to choose from; none = all that the model knows")
    min_confidence: float = Field(0.5, ge=0, le=1, description="below this the label is und")

    @field_validator("languages")
    @classmethod
    def _several(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 1:
            raise ValueError("one language leaves nothing to choose; give two or more, or none for all")
        return value

    def label(self, pool: Dataset, runtime: Runtime) -> Labels:
        """Label every row; none is missing, "und" is a label."""
        codes, confidence = detect(pool.texts(self.text), self.languages)
        sure = [code if c >= self.min_confidence else UNKNOWN for code, c in zip(codes, confidence, strict=True)]
        return Labels.from_values(pool.fingerprint, list(sure), columns={"confidence": confidence})
