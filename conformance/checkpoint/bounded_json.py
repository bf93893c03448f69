"""JSON of unknown origin: bounded in size, depth and number of values, no key twice."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["parse_json"]

_DEEPEST = 64
_BLOCK = 1 << 20
_STEPS = np.array([(chr(code) in "[{") - (chr(code) in "]}") for code in range(256)], np.int8)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
Pairs = list[tuple[str, Any]]


def parse_json(content: bytes, most: int, make: Callable[[Pairs], Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
    """The value of a JSON text.

    Args:
        content: UTF-8, of a size that the caller has bounded.
        most: how many values it may have.
        make: makes an object of its pairs, whose keys differ; by default a dict.

    Raises:
        ValueError: if it is no JSON, or a key stands twice in an object, or it is deeper than 64,
            or has too many values, or a text that is no Unicode; one line.
    """
    _check_depth(content)
    if sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise ValueError(f"more than {most:,} values")

    def unique(pairs: Pairs) -> Any:  # noqa: ANN401 - any JSON
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise ValueError(f"the key {twice[:120]!a} stands twice")
        return found if make is None else make(pairs)

    try:
        text = content.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_int=_integer)
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from error
    except UnicodeEncodeError as error:
        raise ValueError("a text with half a surrogate pair") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    except RecursionError as error:
        raise ValueError(f"nested deeper than {_DEEPEST}") from error
    return value


def _integer(digits: str) -> int:
    if digits == "-0" or len(digits) > 64:
        raise ValueError(f"the number {digits[:20]} is not allowed")
    return int(digits)


def _check_depth(content: bytes) -> None:
    """Refuse what is nested too deeply, before it is parsed."""
    plain = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = depth = 0
    for start in range(0, len(plain), _BLOCK):
        block = np.frombuffer(plain[start : start + _BLOCK], np.uint8)
        before = np.cumsum(block == ord('"')) + quotes
        depths = np.cumsum(np.where(before % 2, 0, _STEPS[block])) + depth
        if depths.max() > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST}")
        quotes, depth = int(before[-1]), int(depths[-1])
