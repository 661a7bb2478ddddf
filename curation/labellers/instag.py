"""InsTag: what every request wants, as tags that a chat model finds."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.core.method import Labeller, MethodClass, Size
from curation.core.runtime import Runtime
from curation.labellers._tag_names import LONGEST, join_spellings, tags_of_reply
from curation.labellers.tags import NO_TAGS, RARE, frequent, tag_labels
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.judging import CUT, REFUSED, clean, target
from curation.models.chat.prompts import Prompt, blocks
from curation.models.chat.types import Reply, Request, Unparsed
from curation.models.chat.wording import wording

if TYPE_CHECKING:
    from curation.models.chat.client import Say

Wording = Literal["own", "tagger"]

PROMPT = "instag-v1"
NO_REQUEST = "no request to tag"

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "tags": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"tag": {"type": "string"}, "explanation": {"type": "string"}},
                    "required": ["tag", "explanation"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["tags"],
        "additionalProperties": False,
    }
)


def tagging_request(query: str, wording: Wording, max_tokens: int, words: Prompt) -> Request:
    """What asks for the tags of one request of a user.

    Args:
        query: What the user said.
        wording: "own", or "tagger", the form that the published tagger was trained on.
        max_tokens: Of the reply.
        words: The prompt's parts.
    """
    tags = [{"tag": word, "explanation": "made up"} for word in _long_words(query)]
    pretend = json.dumps({"tags": tags}, ensure_ascii=False)
    if wording == "tagger":
        return Request((("user", words.write("tagger_user", query=query)),), max_tokens=max_tokens, pretend=pretend)
    block, mark = blocks([("request", query)])
    messages = (("system", words.write("own_system")), ("user", words.write("own_user", block=block, mark=mark)))
    return Request(messages, max_tokens=max_tokens, schema=SCHEMA, pretend=pretend)


def _long_words(query: str) -> list[str]:
    """Up to three of the longest words, for replies that are made up."""
    words = dict.fromkeys(word.lower() for word in query.split() if word.isalpha() and len(word) <= LONGEST)
    return sorted(words, key=lambda word: (-len(word), word))[:3] or ["other"]


def read_tags(reply: Reply) -> list[str] | Unparsed:
    """The tags of a reply; one that was cut off has lost some, so it counts for none."""
    if reply.refusal or reply.finish == "content_filter":
        return Unparsed(REFUSED)
    return Unparsed(CUT) if reply.finish == "length" else tags_of_reply(reply.text)


class InsTag(Asking, Labeller):
    """Tags of what every request wants, found by a chat model that may name them freely.

    What the user says is tagged, turn by turn; a row has the tags of its turns, and is missing if one of them could not
    be tagged. Then tags that differ in case, marks between words or English endings are joined under the name that most
    rows give (`join_spellings`), and tags of fewer than `min_count` rows are dropped. A row's first tag is its label;
    all of them are in the column `tags`, int32 `[n, t]`, the replies in the column `explanation`. The number of tags is
    InsTag's complexity (`scorer/tag-count`).

    `wording: tagger` writes the request as the published tagger (OFA-Sys/InsTagger) was trained to read it: name that
    model in a connection. It was not run by us. The authors also join tags by vectors of their names and by how they
    occur together; that is not done here.
    """

    title: ClassVar[str] = "Tags by a chat model (InsTag)"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Names one intention in many ways: synonyms count twice, and models differ in detail."
    source: ClassVar[str] = (
        "InsTag (Lu et al. 2023, arXiv 2308.07074); the wording and the joining of spellings are ours"
    )

    wording: Wording = Field(
        "own", description="how it is asked: in our words, or as the published tagger was trained to read"
    )
    join: bool = Field(True, description="join tags that differ in case, marks or English endings only")
    min_count: int = Field(1, ge=1, le=1_000_000_000, description="rows that a tag must have, or it is dropped")
    most: int = Field(64, ge=1, le=1000, description="tags of one row that are read, the first ones")
    max_turns: int = Field(8, ge=1, le=1000, description="turns of the user that are tagged, the first ones")
    max_tokens: int = Field(512, ge=16, le=131_072, description="tokens of a reply, at most")
    prompt_hash: str = Field(AUTO, min_length=1, description="fingerprint of the wording; auto fills it in")

    def resolve(self, runtime: Runtime) -> Self:
        """Write endpoint, model and the wording's fingerprint into the recipe."""
        return super().resolve(runtime).model_copy(update={"prompt_hash": self.words().hash})

    def words(self) -> Prompt:
        """The wording.

        Raises:
            CurationError: if it is not the one that the recipe was resolved with.
        """
        return wording(PROMPT, self.prompt_hash)

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """One for every turn of the user."""
        return [self._of(pool, row) for row in range(len(pool))]

    def label(self, pool: Dataset, runtime: Runtime) -> Labels:
        """Ask about every row.

        Raises:
            CurationError: there is no such connection.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        from curation.models.chat.client import ask_until, converse

        connection = target(self)
        said: list[list[str]] = [[] for _ in range(len(pool))]

        async def talk(row: int, say: Say) -> list[str] | Unparsed:
            requests = self._of(pool, row)
            found: list[str] = []  # of all turns

            def read(reply: Reply) -> list[str] | Unparsed:
                said[row].append(clean(reply.text or reply.refusal))
                return read_tags(reply)

            for request in requests:
                # tries of earlier attempts are stored, so what could be read then is not asked again
                tags = await ask_until(say, request, read, attempt=self.attempt)
                if isinstance(tags, Unparsed):
                    return tags
                found += tags
            return found if requests else Unparsed(NO_REQUEST)

        answers = converse(len(pool), talk, connection, runtime)
        failed = {row: answer.reason for row, answer in enumerate(answers) if isinstance(answer, Unparsed)}
        named = [[] if isinstance(answer, Unparsed) else list(dict.fromkeys(answer)) for answer in answers]
        rows = join_spellings(named) if self.join else named
        cut = sum(len(tags) > self.most for tags in rows)
        rows = [tags[: self.most] for tags in rows]
        kept = frequent(rows, self.min_count)
        reasons = [failed.get(row, RARE if tags else NO_TAGS) for row, tags in enumerate(rows)]
        facts = {
            **connection.info(),
            "prompt": f"{PROMPT}, {self.wording}",
            "different tags": len({tag for tags in kept for tag in tags}),
            "different tags as named": len({tag for tags in named for tag in tags}),
            "rows_cut": cut,
            "failures": dict(Counter(failed.values()).most_common()),
            "proxy": False,
        }
        made = tag_labels(pool.fingerprint, kept, reasons, **facts)
        made.columns["explanation"] = np.array(["\n".join(texts) for texts in said], object)
        return made

    def _of(self, pool: Dataset, row: int) -> list[Request]:
        asked = [m["content"].strip() for m in pool.messages(row) if m["role"] == "user"]
        asked = [text for text in asked if text][: self.max_turns]
        return [tagging_request(text, self.wording, self.max_tokens, self.words()) for text in asked]

    def work(self, size: Size) -> float:
        """Calls."""
        return float(size.rows + 1)

    def memory(self, size: Size) -> float:
        """Replies and tags."""
        return 64e6 + 1_000.0 * size.rows

    def disk(self, size: Size) -> float:
        """Some tags for each row, and the replies."""
        return 600.0 * size.rows
