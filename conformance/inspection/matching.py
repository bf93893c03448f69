"""Which scheme a module has: targets and ignore lists, as upstream matches them.

A checkpoint has names and no classes, so the class of a module is inferred from its tensors: what
has a matrix is a ``Linear``, or an ``Embedding`` if its name says so.

Source: upstream ``utils.match`` and ``quantization.lifecycle.apply``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from qparity.reference import QuantizationScheme

__all__ = ["classes_of", "is_pattern", "match_name", "matches", "nearest", "scheme_of"]

_EMBEDDING = re.compile(r"embed|^w[tp]e$|^shared$")
_DOUBTFUL = re.compile(r"embed|^w[tp]e$|^shared$|norm|gate$|router|bias|position|conv")
_ATTENTION = re.compile(r"attn|attention")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def is_pattern(target: str) -> bool:
    """Whether a target is a regular expression."""
    return target.startswith("re:")


def match_name(name: str, target: str) -> bool:
    """Whether a target is a module's name, or a ``re:`` expression that its name begins with.

    Raises:
        re.error: if the expression is none.
    """
    if is_pattern(target):
        return _compiled(target.removeprefix("re:")).match(name) is not None
    return target == name


def classes_of(name: str, locals_: Iterable[str], rank: int, quantized: bool) -> tuple[str, ...]:
    """The classes that a module may have, the first one the likely one.

    Args:
        name: of the module.
        locals_: the names of its tensors, without the module's.
        rank: of its weight; 0: it has none.
        quantized: whether there are scales, codes or the like.
    """
    last = name.rpartition(".")[2]
    if quantized or rank == 2:
        if _EMBEDDING.search(last):
            return ("Embedding", "Linear") if quantized else ("Embedding",)
        return ("Linear",)
    if _ATTENTION.search(last) or any(local[:2] in ("k_", "v_", "q_") for local in locals_):
        return ("Attention",)
    return ()


def is_doubtful(name: str) -> bool:
    """Whether a module with a matrix may well be no ``Linear``."""
    return _DOUBTFUL.search(name.rpartition(".")[2].lower()) is not None


def matches(name: str, classes: Sequence[str], target: str) -> bool:
    """Whether a target names a module or its class."""
    return match_name(name, target) or (not is_pattern(target) and _match_class(classes, target))


def scheme_of(
    name: str, classes: Sequence[str], target_to_scheme: Mapping[str, str]
) -> tuple[str, str] | None:
    """The group of a module and the target that chose it; None if no target matches.

    Names go before expressions, these before classes; within a kind, in the order of their texts.
    """
    ordered = sorted(target_to_scheme, key=lambda target: ("re:" in target, target))
    for target in ordered:
        if match_name(name, target):
            return target_to_scheme[target], target
    for target in ordered:
        if not is_pattern(target) and _match_class(classes, target):
            return target_to_scheme[target], target
    return None


def nearest(target: str, names: Iterable[str]) -> str:
    """What may have been meant, as a hint."""
    found = get_close_matches(target[:200], [*names][:20_000], n=1, cutoff=0.75)
    return f"nearest: {found[0]!r}" if found else ""


def _match_class(classes: Sequence[str], target: str) -> bool:
    if "Attention" in classes:
        return target.endswith("Attention")
    if "Linear" in classes and target.endswith(("Linear", "LinearBase")):
        return True
    return target in classes


def groups_of_targets(schemes: Mapping[str, QuantizationScheme]) -> dict[str, str]:
    """The group of each target; where two groups have a target, the later one has it."""
    return {target: group for group, scheme in schemes.items() for target in scheme.targets}
