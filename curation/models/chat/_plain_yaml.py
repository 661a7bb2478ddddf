"""Plain data from YAML text in which nothing may stand twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class TwiceError(ValueError):
    """A key is written twice in one mapping.

    Args:
        line: Of the second, from 1.
    """

    def __init__(self, line: int) -> None:
        super().__init__("a key stands twice")
        self.line = line


class _Loader(yaml.SafeLoader):
    """Safe YAML: one of two entries of the same name would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise TwiceError(key.start_mark.line + 1)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def plain_yaml(text: str) -> Any:
    """What a text holds.

    Raises:
        TwiceError: for a key that stands twice.
        yaml.YAMLError, ValueError, RecursionError: if it is not YAML; ValueError is for what looks like a date or a
            number and is none. Their texts quote the file.
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader: plain data only
