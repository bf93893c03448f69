"""``QuantizationArgs``: what one tensor is quantized to (SPEC section 3)."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .dtypes import E4M3, INT8, SCALE_DTYPES, UINT8, ZP_DTYPES, as_dtype
from .formats import FLOAT8_E8M0FNU, FORMATS, FloatFormat, IntFormat

__all__ = ["QuantizationArgs"]

TYPES = ("int", "float")
STRATEGIES = ("tensor", "channel", "group", "block", "token", "tensor_group", "attn_head")
GROUP_STRATEGIES = ("group", "tensor_group")
DYNAMIC_STRATEGIES = ("token", "tensor", "group", "tensor_group")
ACTORDER_ALIASES = {"weight": "weight", "static": "weight", "group": "group", "dynamic": "group"}
EXPONENT_RULES = ("mx", "floor", "ceil", "even")
_UINT8_ROW = IntFormat(bits=8, signed=False)
_CODE_FORMATS = {4: "float4_e2m1fn", 6: "float6_e2m3fn", 8: "float8_e4m3fn"}


class FrozenMapping(Mapping[str, Any]):
    """A mapping that cannot change, and hashes by what it holds."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None) -> None:
        """Copy the items of a mapping, and what they hold."""
        self._items = deepcopy(dict(items or {}))

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - values are the user's
        """The value of a key; a copy, so that what is done to it changes nothing here."""
        return deepcopy(self._items[key])

    def __iter__(self) -> Iterator[str]:
        """The keys."""
        return iter(self._items)

    def __len__(self) -> int:
        """The number of keys."""
        return len(self._items)

    def __hash__(self) -> int:
        """Equal mappings hash alike; values may be lists or dicts."""
        return hash(_hashable(self._items))

    def __repr__(self) -> str:
        """As the plain dict."""
        return repr(self._items)


@dataclass(frozen=True, slots=True, repr=False)
class QuantizationArgs:
    """How one tensor is quantized. Frozen and hashable; fields and defaults are upstream's.

    Attributes:
        num_bits: 1 to 8 for ``int``; 4 (e2m1), 6 (e2m3) or 8 (e4m3) for ``float``.
        type: ``"int"`` or ``"float"``.
        symmetric: whether the zero-point is zero. fp4, fp6 and MX must be.
        group_size: columns per group; ``-1`` means ``channel``.
        strategy: which elements share a scale; by default ``tensor``, ``group`` if ``group_size``
            is positive, ``channel`` if it is -1.
        block_structure: rows and columns of a block, ``(128, 128)`` or ``"128x128"``.
        dynamic: ``True`` if qparams are made at run time, ``"local"`` if only the local scale is.
        actorder: ``"weight"`` (alias ``"static"``); ``"group"``, ``"dynamic"`` and ``True``, of
            checkpoints of releases up to 0.18, mean ``"group"``.
        scale_dtype: the scale is rounded to it, and stored in it; None: not rounded.
        zp_dtype: the dtype of the zero-point; by default int8, or float8_e4m3fn for ``float``.
        observer: name of the observer; free text.
        observer_kwargs: its arguments; any mapping.

    Raises:
        TypeError: if a field has a value of the wrong type.
        ValueError: if a value, or a combination of values, is not allowed.

    Source: SPEC section 3; upstream ``QuantizationArgs``.

    >>> args = QuantizationArgs(num_bits=4, group_size=128, scale_dtype="torch.bfloat16")
    >>> args.strategy, args.scale_dtype.name, args.zp_dtype.name
    ('group', 'bfloat16', 'int8')
    """

    num_bits: int = 8
    type: str = "int"
    symmetric: bool = True
    group_size: int | None = None
    strategy: str | None = None
    block_structure: tuple[int, int] | None = None
    dynamic: bool | str = False
    actorder: str | None = None
    scale_dtype: np.dtype | None = None
    zp_dtype: np.dtype | None = None
    observer: str | None = None
    observer_kwargs: Mapping[str, Any] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        """Normalise the fields, then check the combinations."""
        _check_int("num_bits", self.num_bits)
        self._set("type", _choice("type", self.type, TYPES))
        _check_bool("symmetric", self.symmetric)
        self._set("dynamic", _dynamic(self.dynamic))
        if self.group_size is not None:
            _check_int("group_size", self.group_size)
        self._set("strategy", self._strategy())
        self._set("block_structure", _block_structure(self.block_structure))
        given_actorder: object = self.actorder
        self._set("actorder", _actorder(given_actorder))
        self._set("scale_dtype", _optional_dtype("scale_dtype", self.scale_dtype, SCALE_DTYPES))
        self._set("zp_dtype", _optional_dtype("zp_dtype", self.zp_dtype, ZP_DTYPES))
        if self.zp_dtype is None:
            self._set("zp_dtype", INT8 if self.type == "int" else E4M3)
        if self.observer is not None and not isinstance(self.observer, str):
            raise TypeError(f"observer: {self.observer!r} is not allowed; allowed: a string, None")
        if not isinstance(self.observer_kwargs, Mapping):
            raise TypeError(
                f"observer_kwargs: {self.observer_kwargs!r} is not allowed; allowed: a mapping"
            )
        self._set("observer_kwargs", FrozenMapping(self.observer_kwargs))
        self._check_format()
        self._check_strategy(given_actorder)
        self._check_dynamic()

    @property
    def is_mx(self) -> bool:
        """Whether the scale is a power of two stored as an E8M0 code in uint8 (SPEC section 6)."""
        return self.type == "float" and self.group_size == 32 and self.scale_dtype == UINT8

    @property
    def resolved_scale_dtype(self) -> np.dtype | None:
        """The dtype the scale is rounded to: ``scale_dtype``, or e4m3 for fp4 ``tensor_group``."""
        implied = self.type == "float" and self.num_bits == 4 and self.strategy == "tensor_group"
        return E4M3 if self.scale_dtype is None and implied else self.scale_dtype

    @property
    def code_format(self) -> FloatFormat | IntFormat:
        """The row of the format table that the codes are of."""
        name = f"int{self.num_bits}" if self.type == "int" else _CODE_FORMATS[self.num_bits]
        return FORMATS[name]

    @property
    def scale_format(self) -> FloatFormat | IntFormat | None:
        """The row that the scale is rounded to, E8M0 for MX; None: the scale is not rounded."""
        dtype = self.resolved_scale_dtype
        if self.is_mx or dtype is None:
            return FLOAT8_E8M0FNU if self.is_mx else None
        return _UINT8_ROW if dtype == UINT8 else FORMATS[dtype.name]

    @property
    def scale_rule(self) -> str:
        """How the scale is made from the range: ``"nearest"``, or ``"mx"`` of SPEC section 6."""
        return "mx" if self.is_mx else "nearest"

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "QuantizationArgs":
        """Read the args of a config, in any form that exists; see ``args_json.args_from_dict``."""
        from .args_json import args_from_dict

        return args_from_dict(data)

    def to_dict(self, on_disk: bool = False) -> dict[str, Any]:
        """Write the args as JSON values; see ``args_json.args_to_dict``."""
        from .args_json import args_to_dict

        return args_to_dict(self, on_disk=on_disk)

    def __repr__(self) -> str:
        """The fields that are not None, with dtypes by name; it evaluates to an equal object."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        shown = {k: v.name if isinstance(v, np.dtype) else v for k, v in shown.items()}
        given = [f"{k}={v!r}" for k, v in shown.items() if v is not None and v != {}]
        return f"{type(self).__name__}({', '.join(given)})"

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _strategy(self) -> str:
        if self.group_size is not None and (self.group_size == 0 or self.group_size < -1):
            raise ValueError(
                f"group_size: {self.group_size} is not allowed; "
                "allowed: a positive int, -1 (channel) or None"
            )
        if self.strategy is not None:
            return _choice("strategy", self.strategy, STRATEGIES)
        if self.group_size is None:
            return "tensor"
        return "channel" if self.group_size == -1 else "group"

    def _check_format(self) -> None:
        allowed = range(1, 9) if self.type == "int" else sorted(_CODE_FORMATS)
        if self.num_bits not in allowed:
            raise ValueError(
                f"num_bits: {self.num_bits} is not allowed for type {self.type!r}; "
                f"allowed: {list(allowed)}"
            )
        if self.type == "float" and not self.symmetric:
            if self.num_bits in (4, 6):
                raise ValueError(
                    f"symmetric: False is not allowed for {self.num_bits}-bit floats; allowed: True"
                )
            if self.is_mx:
                raise ValueError("symmetric: False is not allowed for MX; allowed: True")

    def _check_strategy(self, given_actorder: object) -> None:
        grouped = self.strategy in GROUP_STRATEGIES
        size = self.group_size
        if grouped and (size is None or size <= 0):
            raise ValueError(
                f"group_size: {size} is not allowed for strategy {self.strategy!r}; "
                "allowed: a positive int"
            )
        if not grouped and size is not None and size > 0:
            raise ValueError(
                f"group_size: {size} is not allowed for strategy {self.strategy!r}; "
                f"allowed: None, or strategy one of {list(GROUP_STRATEGIES)}"
            )
        if (self.strategy == "block") != (self.block_structure is not None):
            raise ValueError(
                f"block_structure: {self.block_structure} is not allowed for strategy "
                f"{self.strategy!r}; allowed: two positive ints for 'block', None for the others"
            )
        if self.actorder == "group" and not grouped:
            raise ValueError(
                f"actorder: {given_actorder!r} is not allowed for strategy {self.strategy!r}; "
                f"allowed: strategy one of {list(GROUP_STRATEGIES)}"
            )

    def _check_dynamic(self) -> None:
        if self.strategy == "token" and self.dynamic is not True:
            raise ValueError(
                f"dynamic: {self.dynamic!r} is not allowed for strategy 'token'; allowed: True"
            )
        if self.dynamic == "local" and self.strategy != "tensor_group":
            raise ValueError(
                f"dynamic: 'local' is not allowed for strategy {self.strategy!r}; "
                "allowed: strategy 'tensor_group'"
            )
        if self.dynamic and self.strategy not in DYNAMIC_STRATEGIES:
            raise ValueError(
                f"dynamic: {self.dynamic!r} is not allowed for strategy {self.strategy!r}; "
                f"allowed: strategy one of {list(DYNAMIC_STRATEGIES)}"
            )


def as_args(value: object) -> QuantizationArgs:
    """The args of a call.

    Raises:
        TypeError: if they are none.
    """
    if not isinstance(value, QuantizationArgs):
        raise TypeError(f"args: {value!r} is not allowed; allowed: QuantizationArgs")
    return value


def _check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is not allowed; allowed: an int")


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {value!r} is not allowed; allowed: True or False")


def _choice(name: str, value: object, allowed: tuple[str, ...], *others: object) -> str:
    plain = getattr(value, "value", value)
    if not isinstance(plain, str):
        raise TypeError(f"{name}: {value!r} is not allowed; allowed: {[*others, *allowed]}")
    if plain.lower() not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: {[*others, *allowed]}")
    return plain.lower()


def _dynamic(value: object) -> bool | str:
    return value if isinstance(value, bool) else _choice("dynamic", value, ("local",), False, True)


def _actorder(value: object) -> str | None:
    if value is None or value is False:
        return None
    if value is True:
        return "group"
    return ACTORDER_ALIASES[_choice("actorder", value, tuple(ACTORDER_ALIASES), None, False, True)]


def _block_structure(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    sizes: object = value
    if isinstance(value, str):
        parts = value.split("x")
        sizes = [int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts]
    if isinstance(sizes, (list, tuple)) and len(sizes) == 2:
        rows, cols = sizes
        if all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes):
            return rows, cols
    raise ValueError(
        f"block_structure: {value!r} is not allowed; allowed: two positive ints, or '128x128'"
    )


def _optional_dtype(name: str, value: object, allowed: tuple[np.dtype, ...]) -> np.dtype | None:
    return None if value is None else as_dtype(value, name, allowed)


def _hashable(value: object) -> object:
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, set):
        return frozenset(_hashable(item) for item in value)
    return value
