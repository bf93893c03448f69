"""What is to be inspected: the modules of a checkpoint, each with its scheme and its tensors."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qparity.reference import QuantizationScheme
from qparity.reference.dtypes import UINT8

from ..checkpoint import Checkpoint, Entry
from ..guard import TooSlowError, time_limit
from .config import Config
from .expected import WORKING, expected_tensors
from .finding import NOTE, Finding
from .matching import (
    classes_of,
    groups_of_targets,
    is_doubtful,
    matches,
    nearest,
    scheme_of,
)

__all__ = ["Plan", "make_plan"]

_OF_QUANTIZATION = re.compile(
    r"^(weight|input|output|q|k|v)_(scale|zero_point|global_scale|packed|shape|g_idx)"
    r"|^(qweight|qzeros|scales|g_idx)$"
)
_CODES = ("I8", "U8", "I32", "I64", "F8_E4M3", "F8_E5M2", "F4", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
_KV = ("k_scale", "v_scale", "q_scale", "k_zero_point", "v_zero_point", "q_zero_point")
_SECONDS_TO_MATCH = 60.0
_OF_MX = [("mxfp4-pack-quantized", "U8"), ("mxfp6-pack-quantized", "U8")]
_MX_GROUP = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """A module to be inspected, alone and in any process.

    Attributes:
        module: its name.
        group: of the config.
        scheme: of the group.
        format: of the group.
        entries: its tensors by their local names.
        dense: its weight before quantization, or None.
        dtype: of the model, as the config says, or None.
        against: whether there is a dense checkpoint.
        required: local names that are violations if absent, since other modules have them.
    """

    module: str
    group: str
    scheme: QuantizationScheme
    format: str
    entries: Mapping[str, Entry]
    dense: Entry | None = None
    dtype: str | None = None
    against: bool = False
    required: frozenset[str] = frozenset()

    @property
    def nbytes(self) -> int:
        """The bytes that are read."""
        found = sum(entry.nbytes for entry in self.entries.values())
        return found + (0 if self.dense is None else self.dense.nbytes)

    @property
    def passing(self) -> tuple[str, ...]:
        """The local names of what is not quantized."""
        return ("bias",) if self.scheme.weights is not None else ("bias", "weight")


@dataclass
class Planned:
    """All modules: those to be inspected, the tensors of the others, and what is wrong so far.

    ``stray`` are modules that are quantized and have no scheme; their tensors are among the others.
    """

    plans: list[Plan] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    stray: set[str] = field(default_factory=set)
    kv: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def make_plan(checkpoint: Checkpoint, config: Config, dense: Checkpoint | None) -> Planned:
    """Match the modules of a checkpoint with the schemes of its config.

    Raises:
        ValueError: if its expressions take too long on its names.
    """
    planned = Planned()
    modules: dict[str, dict[str, Entry]] = defaultdict(dict)
    for name in checkpoint.names:
        module, _, local = name.rpartition(".")
        modules[module][local] = checkpoint.entry(name)
    try:
        with time_limit(_SECONDS_TO_MATCH):
            _match(planned, modules, config, dense)
    except TooSlowError as error:
        raise ValueError(f"config.json: its expressions match too slowly: {error}") from error
    _read_old_mx(planned)
    planned.plans = _with_required(planned.plans)
    for surplus in checkpoint.surplus:
        shard, _, name = surplus.partition(": ")
        expected = "a place in the index"
        planned.findings.append(Finding("tensor-not-in-index", expected, tensor=name, bits=shard))
    return planned


def _match(
    planned: Planned,
    modules: Mapping[str, Mapping[str, Entry]],
    config: Config,
    dense: Checkpoint | None,
) -> None:
    targets = groups_of_targets(config.schemes)
    used: set[str] = set()
    classes: dict[str, tuple[str, ...]] = {}
    for module, entries in modules.items():
        quantized = _is_quantized(entries)
        classes[module] = classes_of(module, entries, _rank(entries), quantized)
        for name in _ancestors(module, classes):
            classes.setdefault(name, classes_of(name, (), 0, False))
    for target in targets:
        if any(matches(name, kinds, target) for name, kinds in classes.items()):
            used.add(target)
    for module, entries in modules.items():
        found = scheme_of(module, classes[module], targets)
        ignoring = [i for i in config.ignore if matches(module, classes[module], i)]
        _place(planned, module, entries, found, ignoring, config, dense)
    for group, scheme in config.schemes.items():
        for target in scheme.targets:
            if target not in used:
                where = f"config_groups.{group}.targets"
                planned.findings.append(_unmatched("target", where, target, classes))
    for pattern in config.ignore:
        if not any(matches(name, kinds, pattern) for name, kinds in classes.items()):
            found_ = _unmatched("ignore", "ignore", pattern, classes)
            tied = config.tied and pattern.rpartition(".")[2] in ("lm_head", "embed_out")
            if tied:
                found_ = replace(found_, severity=NOTE, hint="tied to the embedding, maybe")
            planned.findings.append(found_)


def _place(
    planned: Planned,
    module: str,
    entries: Mapping[str, Entry],
    found: tuple[str, str] | None,
    ignoring: Sequence[str],
    config: Config,
    dense: Checkpoint | None,
) -> None:
    """One module: inspected, left as it is, or wrong."""
    kv = {local: entry for local, entry in entries.items() if local in _KV}
    planned.kv += kv.values()
    entries = {local: entry for local, entry in entries.items() if local not in kv}
    quantized = _is_quantized(entries)
    if quantized and (ignoring or found is None):
        if ignoring:
            expected, said = "as it was", f"ignore has {ignoring[0]!r}"
            finding = Finding("quantized-though-ignored", expected, module, hint=said)
        else:
            finding = Finding("no-scheme", "a target in config_groups", module)
        planned.findings.append(replace(finding, bits=_kinds(entries)))
        planned.stray.add(module)
        planned.others += entries.values()
        return
    if found is None or ignoring:
        planned.others += entries.values()
        return
    group, target = found
    scheme = config.schemes[group]
    weight = entries.get("weight")
    if not quantized and scheme.weights is not None:
        if weight is not None and len(weight.shape) >= 2 and weight.dtype in WORKING:
            by_name = target.startswith("re:") or target == module
            doubtful = not by_name and is_doubtful(module)
            if config.formats[group] != "dense":
                finding = Finding(
                    "not-quantized",
                    f"codes of {scheme.weights.code_format.name}, as the target {target!r} says",
                    module,
                    f"{module}.weight",
                    bits=weight.dtype,
                )
                planned.findings.append(replace(finding, severity=NOTE) if doubtful else finding)
        planned.others += entries.values()
        return
    if scheme.weights is None and not quantized:
        planned.others += entries.values()
        return
    name = f"{module}.weight"
    original = dense.entry(name) if dense is not None and name in dense.entries else None
    facts = (config.formats[group], entries, original, config.dtype, dense is not None)
    planned.plans.append(Plan(module, group, scheme, *facts))


def _read_old_mx(planned: Planned) -> None:
    """Codes of MX scales whose config is older than ``scale_dtype`` are read as MX, with a note."""
    for i, plan in enumerate(planned.plans):
        args, scale = plan.scheme.weights, plan.entries.get("weight_scale")
        if args is None or scale is None or (plan.format, scale.dtype) not in _OF_MX:
            continue
        if args.scale_dtype is None and args.group_size == _MX_GROUP:
            weights = replace(args, scale_dtype=UINT8, zp_dtype=UINT8)
            planned.plans[i] = replace(plan, scheme=replace(plan.scheme, weights=weights))
            where = f"config_groups.{plan.group}.weights.scale_dtype"
            note = Finding("scale-dtype-missing", "uint8", tensor=where, bits="null", severity=NOTE)
            if note not in planned.findings:
                planned.findings.append(note)


def _with_required(plans: Sequence[Plan]) -> list[Plan]:
    """What some modules of a group have, the others must have."""
    seen: dict[str, set[str]] = defaultdict(set)
    for plan in plans:
        seen[plan.group] |= plan.entries.keys()
    optional: dict[str, set[str]] = {}
    for group, plan in {plan.group: plan for plan in plans}.items():
        tensors = expected_tensors(plan.scheme, plan.format, None)
        optional[group] = {tensor.local for tensor in tensors if tensor.absent == NOTE}
    return [
        replace(plan, required=frozenset(seen[plan.group] & optional[plan.group])) for plan in plans
    ]


def _is_quantized(entries: Mapping[str, Entry]) -> bool:
    weight = entries.get("weight")
    codes = weight is not None and weight.dtype in _CODES
    return codes or any(_OF_QUANTIZATION.match(local) and local not in _KV for local in entries)


def _rank(entries: Mapping[str, Entry]) -> int:
    weights = [entries[name] for name in ("weight", "weight_packed", "qweight") if name in entries]
    if weights:
        return len(weights[0].shape)
    return 2 if _is_quantized(entries) else 0


def _ancestors(module: str, known: Mapping[str, object]) -> Iterable[str]:
    while module:
        module = module.rpartition(".")[0]
        if module in known:
            return
        if module:
            yield module


def _kinds(entries: Mapping[str, Entry]) -> str:
    return ", ".join(f"{local} {entry.dtype}" for local, entry in sorted(entries.items()))


def _unmatched(kind: str, where: str, pattern: str, names: Mapping[str, object]) -> Finding:
    return Finding(
        f"{kind}-matches-nothing",
        "the name or class of a module, or re: and an expression",
        tensor=where,
        bits=repr(pattern),
        hint=nearest(pattern, [*names, "Linear", "Embedding"]),
    )
