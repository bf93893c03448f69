"""The numbers to explain: given as text, or in a file of weights."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from qparity.reference import QuantizationArgs
from qparity.reference.formats import float_format

from ..bits import Array
from ..weights import matrices, read_tensors
from .exact import nearest
from .steps import Tensor

_SPECIAL = {"nan": np.nan, "inf": np.inf, "infinity": np.inf}
_HEX = re.compile(r"0x[0-9a-f]*\.?[0-9a-f]*(p[+-]?\d{1,5})?")
_DECIMAL = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,5})?")


def of_texts(texts: Sequence[str], dtype: np.dtype, args: QuantizationArgs) -> Tensor:
    """Numbers as one row, with zeros up to the next whole group.

    Args:
        texts: decimals, C hexadecimal floats, ``inf`` or ``nan``.
        dtype: a working dtype; each number is rounded to it once.
        args: whose groups are filled.

    Raises:
        ValueError: if a text is no number, or there is none.
    """
    if not texts:
        raise ValueError("VALUE: none is given; allowed: one or more")
    exact = [_number(text) for text in texts]
    values = [_rounded(number, text, dtype) for number, text in zip(exact, texts, strict=True)]
    size = args.group_size if args.group_size is not None and args.group_size > 0 else 1
    zeros = -len(values) % size
    x = np.array([[*values, *[0.0] * zeros]], np.float64).astype(dtype)
    note = f"{len(values)} value{'s' if len(values) > 1 else ''} in one row"
    if zeros:
        note += f", {zeros} zeros added to fill the group of {size}"
    return Tensor(x, tuple((0, column) for column in range(len(values))), tuple(exact), note)


def of_weights(
    path: Path, name: str | None, row: int, columns: slice, dtype: np.dtype | None
) -> Tensor:
    """A part of a row of a 2-D tensor of a safetensors file.

    Args:
        path: of the file.
        name: of the tensor; None if the file has only one matrix.
        row: its row.
        columns: those to explain.
        dtype: cast to it first; None: as it is.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no safetensors file, or has no such tensor, row or columns.
    """
    every = read_tensors(path)
    found = matrices(every)
    if name is None and len(found) == 1:
        (name,) = found
    if name is None or name not in found:
        shown = ", ".join(sorted(found)[:8]) or "a file with a 2-D float tensor"
        raise ValueError(f"tensor: {_why_not(name, every, path)}; allowed: {shown}")
    x = found[name]
    if not -x.shape[0] <= row < x.shape[0]:
        allowed = f"{-x.shape[0]} to {x.shape[0] - 1}, from -1 back from the last"
        raise ValueError(f"row: {row} is not a row of {name}; allowed: {allowed}")
    row %= x.shape[0]
    chosen = range(x.shape[1])[columns]
    if not chosen:
        asked = f"{columns.start}:{'' if columns.stop is None else columns.stop}"
        raise ValueError(
            f"columns: {asked} is none of {name}; allowed: FIRST:LAST, without LAST itself, of 0 "
            f"to {x.shape[1]}"
        )
    shape = " x ".join(str(size) for size in x.shape)
    note = f"row {row} of {name}, {shape} {x.dtype.name}, in {path.name}"
    exact: tuple[Fraction | None, ...] = ()
    if dtype is not None and dtype != x.dtype:
        exact = tuple(_exact_of(x[row, column]) for column in chosen)
        x = _cast(x, dtype)
    return Tensor(x, tuple((row, column) for column in chosen), exact, note)


def _why_not(name: str | None, every: Mapping[str, Array], path: Path) -> str:
    if name is None:
        return f"not named, of those in {path}"
    if name not in every:
        return f"{name!r} is not in {path}"
    return f"{name!r} is {every[name].dtype.name} of shape {every[name].shape}, no 2-D float tensor"


def _number(text: str) -> Fraction | None:
    plain = text.strip().lower().replace("_", "")
    sign, digits = (-1, plain[1:]) if plain[:1] == "-" else (1, plain.removeprefix("+"))
    if digits in _SPECIAL:
        return None
    if _DECIMAL.fullmatch(digits):
        return sign * Fraction(digits)
    if _HEX.fullmatch(digits):
        head, _, exponent = digits[2:].partition("p")
        whole, _, part = head.partition(".")
        if whole + part:
            scale = Fraction(2) ** (int(exponent or 0) - 4 * len(part))
            return sign * int(whole + part, 16) * scale
    raise ValueError(f"VALUE: {text!r} is no number; allowed: 0.3, 1e-5, 0x1.8p-2, inf, nan")


def _rounded(number: Fraction | None, text: str, dtype: np.dtype) -> float:
    """The number of a dtype, as float64, in which all of them are exact."""
    sign = -1.0 if text.strip().startswith("-") else 1.0
    if number is None:
        return sign * _SPECIAL[text.strip().lower().lstrip("+-")]
    value = nearest(number, float_format(dtype.name))
    return sign * np.inf if value is None else sign * abs(float(value))


def _exact_of(value: np.generic) -> Fraction | None:
    number = float(value.astype(np.float64))
    return Fraction(number) if np.isfinite(number) else None


def _cast(x: Array, dtype: np.dtype) -> Array:
    with np.errstate(all="ignore"):
        return x.astype(dtype)
