"""The numbers of one stored tensor: scales, zero-points, codes and indices."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from qparity.reference import (
    QuantizationArgs,
    round_to_quantized_type_dtype,
    unpack_fp6_from_uint8,
)

from ..bits import Array, is_float, nan_mask
from ..checkpoint import Entry
from ..checkpoint.read import read_entry, read_rows
from .finding import Finding, at_first, value_text

__all__ = ["check_codes", "check_g_idx", "check_grid", "check_scale", "check_zero_point", "pieces"]

_ELEMENTS = 1 << 22
_MX_NAN = 255
_LARGEST_WEIGHT = 2688.0


def pieces(entry: Entry, unit: int = 32) -> Iterator[tuple[int, int]]:
    """Where the rows of a tensor are cut, so that no piece is large."""
    rows = entry.shape[0]
    step = max(_ELEMENTS * rows // max(1, entry.nbytes) // unit, 1) * unit
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def check_scale(module: str, entry: Entry) -> list[Finding]:
    """A scale is positive and finite."""
    scale = read_entry(entry)
    if not is_float(scale.dtype):
        wrong = scale == _MX_NAN if scale.dtype == np.uint8 else np.zeros(scale.shape, bool)
        return _of("scale-nan", module, entry, scale, wrong, "a code of 0 to 254; 255 is NaN")
    with np.errstate(invalid="ignore"):
        values = scale.astype(np.float64)
    kinds = {
        "scale-nan": np.isnan(values),
        "scale-infinite": np.isinf(values),
        "scale-negative": (values < 0) & ~np.isinf(values),
        "scale-zero": values == 0,
    }
    return [
        finding
        for id_, wrong in kinds.items()
        for finding in _of(id_, module, entry, scale, wrong, "positive and finite")
    ]


def check_grid(module: str, entry: Entry, args: QuantizationArgs) -> list[Finding]:
    """A scale that is stored in a wider dtype has values of ``scale_dtype`` all the same."""
    dtype, scale = args.resolved_scale_dtype, np.atleast_1d(read_entry(entry))
    if dtype is None or scale.dtype.itemsize < 2 or not is_float(scale.dtype):
        return []
    if args.is_mx:
        mantissa, _ = np.frexp(scale.astype(np.float64))
        off, expected = mantissa != 0.5, "a power of two (E8M0)"
    elif dtype == np.uint8:
        return []
    else:
        rounded = round_to_quantized_type_dtype(scale, dtype).astype(np.float64)
        off, expected = rounded != scale.astype(np.float64), f"a value of {dtype.name}"
    return _of("scale-off-grid", module, entry, scale, off, expected)


def check_global_scale(module: str, entry: Entry) -> list[Finding]:
    """A global scale is 2688 / amax, not its inverse; no weights are larger than 2688."""
    found = check_scale(module, entry)
    if found:
        return found
    whole = np.atleast_1d(read_entry(entry))
    value = float(whole[0])
    if value >= 1:
        return []
    hint = f"it implies weights up to {_LARGEST_WEIGHT / value:.4g}, its inverse up to "
    return _of(
        "global-scale-inverted",
        module,
        entry,
        whole,
        whole < 1,
        "448 * 6 / the largest weight",
        hint + f"{_LARGEST_WEIGHT * value:.4g}",
    )


def check_zero_point(module: str, entry: Entry, args: QuantizationArgs) -> list[Finding]:
    """An unpacked zero-point is a code."""
    zero_point = np.atleast_1d(read_entry(entry))
    if is_float(zero_point.dtype):
        wrong = nan_mask(zero_point)
        return _of("zero-point-nan", module, entry, zero_point, wrong, "a number")
    row = args.code_format
    wrong = (zero_point < row.min) | (zero_point > row.max)
    expected = f"{row.min:g} to {row.max:g}"
    return _of("zero-point-out-of-range", module, entry, zero_point, wrong, expected)


def check_g_idx(module: str, entry: Entry, groups: int, group_size: int) -> list[Finding]:
    """Every column has a group, every group its columns; or all are negative: not given."""
    indices = read_entry(entry)
    if (indices < 0).all():
        return []
    wrong = (indices < 0) | (indices >= groups)
    found = _of("g-idx-out-of-range", module, entry, indices, wrong, f"0 to {groups - 1}")
    if found:
        return found
    counts = np.bincount(indices.astype(np.int64), minlength=groups)
    uneven = counts != group_size
    if not uneven.any():
        return []
    group = int(np.argmax(uneven))
    bits = f"group {group} of {int(counts[group])} columns"
    expected = f"{group_size} columns in each group"
    return [Finding("g-idx-uneven", expected, module, entry.name, bits=bits)]


def check_codes(
    module: str, entry: Entry, args: QuantizationArgs, format: str
) -> tuple[list[Finding], int | None]:
    """Codes in range, none of them NaN; and how many are a negative zero, None if none can be."""
    if format == "pack-quantized" or (entry.dtype == "I8" and args.num_bits == 8):
        return [], None
    wrong, zeros, first, bits = 0, 0, None, ""
    for start, stop in pieces(entry, 1):
        codes = read_rows(entry, start, stop)
        bad, negative = _faults_of_codes(codes, args)
        zeros += negative
        if bad is not None and bad.any():
            place = at_first(bad)
            if first is None:
                first, bits = (start + place[0], *place[1:]), value_text(codes[place])
            wrong += int(bad.sum())
    found = []
    if first is not None:
        nan = entry.dtype == "F8_E4M3"
        row = args.code_format
        expected = "a number" if nan else f"{row.min:g} to {row.max:g} ({row.name})"
        id_ = "code-nan" if nan else "code-out-of-range"
        total = int(np.prod(entry.shape))
        found.append(Finding(id_, expected, module, entry.name, first, bits, wrong, total))
    return found, None if args.type == "int" else zeros


def check_tail(module: str, entry: Entry, used_bits: int, axis: int, local: str) -> list[Finding]:
    """The bits of the last word beyond the last code are zero."""
    tail = -used_bits % 32
    if not tail or not entry.shape[axis]:
        return []
    words = read_entry(entry) if axis != -1 else None
    if words is None:
        parts = [read_rows(entry, *piece)[..., -1:] for piece in pieces(entry, 1)]
        words = np.concatenate(parts)
    else:
        words = words[..., -1:, :]
    unused = (words.view(np.uint32) >> np.uint32(32 - tail)) != 0
    expected = f"zeros in the last {tail} bits of the last word"
    found = _of(f"{local}-unused-bits", module, entry, words, unused, expected)
    last = entry.shape[axis] - 1
    return [_moved(finding, axis, last) for finding in found]


def _moved(finding: Finding, axis: int, last: int) -> Finding:
    """A finding of a last slice, at its place in the whole tensor."""
    position = list(finding.position or ())
    position[axis] = last
    return replace(finding, position=tuple(position))


def _faults_of_codes(codes: Array, args: QuantizationArgs) -> tuple[Array | None, int]:
    """Which stored elements are wrong, and how many codes are negative zeros."""
    if codes.dtype == np.uint8 and args.num_bits == 4:
        low, high = codes & np.uint8(15), codes >> np.uint8(4)
        return None, int(np.count_nonzero(low == 8)) + int(np.count_nonzero(high == 8))
    if codes.dtype == np.uint8:
        flat = codes.reshape(-1, codes.shape[-1])
        values = unpack_fp6_from_uint8(flat, len(flat), flat.shape[-1] * 4 // 3)
        return None, int(np.count_nonzero(values.view(np.uint16) == 0x8000))
    if is_float(codes.dtype):
        raw = codes.view(np.uint8)
        return (raw & np.uint8(0x7F)) == 0x7F, int(np.count_nonzero(raw == 0x80))
    row = args.code_format
    return (codes < row.min) | (codes > row.max), 0


def _of(
    id_: str,
    module: str,
    entry: Entry,
    array: Array,
    wrong: Array,
    expected: str,
    hint: str = "",
) -> list[Finding]:
    """A finding of the elements that are wrong, if there are any."""
    if not wrong.any():
        return []
    place = at_first(np.atleast_1d(wrong))
    bits, count = value_text(np.atleast_1d(array)[place]), int(wrong.sum())
    total = int(wrong.size)
    return [Finding(id_, expected, module, entry.name, place, bits, count, total, hint)]
