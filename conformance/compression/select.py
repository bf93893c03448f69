"""Which modules of a dense checkpoint are compressed, and what its config then ignores."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..checkpoint import Checkpoint, CheckpointError
from ..checkpoint.error import quoted

__all__ = ["Selection", "select"]

FLOATS = ("F16", "BF16", "F32", "F64")
_NO_LINEAR = re.compile(r"embed|^w[tp]e$|^shared$|^lm_head$")
_CAUSAL = ("ForCausalLM", "ForConditionalGeneration")


@dataclass(frozen=True, slots=True)
class Selection:
    """The modules that are compressed, sorted, and the ignore list that tells which are not."""

    modules: tuple[str, ...]
    ignore: tuple[str, ...]


def select(checkpoint: Checkpoint, targets: Sequence[str], ignore: Sequence[str]) -> Selection:
    """The modules with a 2-D ``weight`` that a target names and nothing ignores.

    Args:
        checkpoint: a dense one.
        targets: names of modules, or ``re:`` expressions that their names begin with, or
            ``"Linear"``: all but embeddings and the ``lm_head``, by their names.
        ignore: names and expressions likewise.

    Raises:
        CheckpointError: if a module to be compressed holds no floats, or none is selected.
        ValueError: if an expression is none, or it or a name has no module.
    """
    with_weight = [name[: -len(".weight")] for name in checkpoint.names if name.endswith(".weight")]
    for field, patterns in (("targets", targets), ("ignore", ignore)):
        for pattern in patterns:
            if not any(_matches(module, pattern, field) for module in with_weight):
                raise ValueError(f"{field}: {pattern!r} matches no module with a weight")
    chosen = []
    for module in with_weight:
        entry = checkpoint.entry(f"{module}.weight")
        targeted = any(_matches(module, target, "targets") for target in targets)
        ignored = any(_matches(module, pattern, "ignore") for pattern in ignore)
        if len(entry.shape) != 2 or ignored or not targeted:
            continue
        if entry.dtype not in FLOATS:
            allowed = f"allowed: {', '.join(FLOATS)}, or ignore it"
            raise CheckpointError(entry.shard, f"{quoted(entry.name)} is {entry.dtype}; {allowed}")
        chosen.append(module)
    if not chosen:
        raise CheckpointError(checkpoint.path, "no module to compress: no 2-D weight is selected")
    left = _left(checkpoint, set(with_weight) - set(chosen), targets)
    named = [name for name in left if not any(_matches(name, p, "ignore") for p in ignore)]
    return Selection(tuple(chosen), (*ignore, *named))


def _left(checkpoint: Checkpoint, others: set[str], targets: Sequence[str]) -> list[str]:
    """What targets name and is not compressed, as readers of the config must be told.

    Upstream without a model takes ``"Linear"`` for every module but those that end in ``norm``;
    with a model it makes an ``lm_head`` that shares the embedding's tensor, and has none here.
    """
    if "Linear" not in targets:
        return sorted(m for m in others if any(_matches(m, t, "targets") for t in targets))
    left = sorted(module for module in others if not module.endswith("norm"))
    config = checkpoint.config or {}
    kinds = config.get("architectures")
    causal = isinstance(kinds, list) and any(str(kind).endswith(_CAUSAL) for kind in kinds)
    has_head = any(name.endswith("lm_head.weight") for name in checkpoint.names)
    return [*left, "lm_head"] if causal and not has_head else left


def _matches(module: str, pattern: str, field: str) -> bool:
    """Upstream's rule, with the class ``Linear`` guessed from the name."""
    if pattern.startswith("re:"):
        try:
            return re.match(pattern.removeprefix("re:"), module) is not None
        except re.error as error:
            raise ValueError(f"{field}: {pattern!r} is no expression ({error})") from error
    if pattern == "Linear" and field == "targets":
        return _NO_LINEAR.search(module.rpartition(".")[2]) is None
    return pattern == module
