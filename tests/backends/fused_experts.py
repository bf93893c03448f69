"""Weights of experts by the fused verbs: the reference's bits, and the kernels' work.

Run as ``python -m tests.backends.fused_experts cuda``.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.calibrate import calibrated
from qparity.conformance.layouts import LAYOUTS, with_layout
from qparity.conformance.ranges import filled, ranges
from qparity.conformance.values import near_codes, specials_of
from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

from .fused_cases import DTYPES, answers, compared, weight_by_reference

Array = np.ndarray[Any, Any]
# experts and their rows: 7 are no whole words of zero-points of 4 bits, but as many as 14 are
ROWS = ((2, 7), (2, 8))
ONE_FOR_ALL = "one for all"


def expert_schemes() -> dict[str, tuple[QuantizationScheme, int]]:
    """Schemes that may be of experts, each with a number of columns; channels end within words."""
    found = {name: (preset_name_to_scheme(name), 33) for name in ("FP8", "FP8_DYNAMIC", "W8A8")}
    found["MXFP8A16"] = preset_name_to_scheme("MXFP8A16"), 64
    for bits, symmetric, strategy, size, cols in (
        (4, False, "group", 32, 64),
        (8, False, "group", 16, 48),
        (3, False, "group", 32, 64),
        (2, True, "group", 32, 96),
        (5, False, "channel", None, 33),
        (4, True, "channel", None, 33),
        (6, True, "tensor", None, 64),
    ):
        args = QuantizationArgs(
            num_bits=bits, symmetric=symmetric, strategy=strategy, group_size=size
        )
        found[f"int{bits} {strategy}"] = QuantizationScheme(["Linear"], args), cols
    return found


def refused_schemes() -> dict[str, tuple[QuantizationScheme, int]]:
    """Schemes that are of matrices alone."""
    names = ("NVFP4A16", "MXFP4A16", "MXFP6A16", "FP8_BLOCK")
    return {name: (preset_name_to_scheme(name), 64) for name in names}


def expert_differences(
    device: str, schemes: Mapping[str, tuple[QuantizationScheme, int]] | None = None
) -> Iterator[tuple[str, str]]:
    """``(case, difference)`` of each call with other bits, or that is left to torch."""
    backend: Any = load_backend(f"triton:{device}")
    layouts = (*LAYOUTS[:-1], ONE_FOR_ALL)
    for i, (name, (scheme, cols)) in enumerate((schemes or expert_schemes()).items()):
        for j, rows in enumerate(ROWS):
            dtype, layout = DTYPES[(i + j) % 3], layouts[(i + j) % len(layouts)]
            rng = np.random.default_rng([i, j])
            weight = aimed(rng, (*rows, cols), scheme, dtype, special=j % 2 == 0)
            if layout == ONE_FOR_ALL:
                weight[:] = weight[0]
            label = f"{name} {weight.shape} {dtype.name} {layout}"
            given = laid_out(weight, layout, backend)
            expected = weight_by_reference(weight, scheme)
            yield from called(f"compress {label}", backend, {"weight": given}, scheme, expected)
            yield from called(
                f"decompress {label}", backend, tensors(expected, layout, backend), scheme
            )
            assert scheme.weights is not None
            with np.errstate(all="ignore"):
                qparams = calibrated(weight, scheme.weights)
            state = {"weight": given} | tensors(qparams, layout, backend)
            yield from called(f"calibrated {label}", backend, state, scheme, expected)


def called(
    label: str,
    backend: Any,  # noqa: ANN401 - the Triton backend
    state: dict[str, Any],
    scheme: QuantizationScheme,
    expected: Any = None,  # noqa: ANN401 - an answer of the reference
) -> Iterator[tuple[str, str]]:
    """The differences of ``compress``, or of ``decompress`` if the label says so."""
    verb = "decompress" if label.startswith("decompress") else "compress"
    if expected is None:
        arrays = {key: backend.to_numpy(value) for key, value in state.items()}
        expected = answers(lambda: getattr(reference, verb)(arrays, scheme))[0]
    before = backend.fallbacks[verb]
    (answer,) = answers(lambda: getattr(backend, verb)(state, scheme))
    yield from compared(label, expected, answer, backend)
    if backend.fallbacks[verb] > before:
        yield label, "fell back"


def aimed(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    scheme: QuantizationScheme,
    dtype: np.dtype[Any],
    *,
    special: bool,
) -> Array:
    """Ranges at ties of scales, values at ties of codes; units of zeros, and of ``special`` ones.

    The special ones are an infinity, a NaN, and nothing but subnormals.
    """
    args = scheme.weights
    assert args is not None
    size = args.group_size or shape[-1]
    counts = (*shape[:-1], shape[-1] // size)
    with np.errstate(all="ignore"):
        weight = filled(rng, *ranges(rng, counts, dtype, args), size).reshape(shape)
        weight = np.where(np.isfinite(weight), weight, dtype.type(1))
        qparams = calibrated(weight, args)
        ones = np.ones(shape)
        parts = (qparams["weight_scale"], qparams["weight_zero_point"])
        scale, zero_point = (
            reference.dequantize(ones, part.astype(np.float64), None, args) for part in parts
        )
        near = near_codes(rng, scale, zero_point, args, dtype)
    inside = np.abs(near.astype(np.float64)) <= np.abs(weight.astype(np.float64))
    weight = np.where(inside, near, weight)
    weight[0, ..., 1, :] = 0
    weight[0, ..., 1, ::2] = -0.0
    if special:
        weight[-1, ..., 0, -1] = np.inf
        weight[-1, ..., 1, 0] = np.nan
        small = specials_of(dtype)
        weight[-1, ..., -1, :] = rng.choice(small[np.abs(small) < 2.0**-14], shape[-1])
    return weight


def laid_out(weight: Array, layout: str, backend: Any) -> Any:  # noqa: ANN401 - a tensor
    """A tensor of the same values with other strides; of ONE_FOR_ALL, 0 along the experts."""
    if layout == ONE_FOR_ALL:
        return backend.from_numpy(weight[:1]).expand(weight.shape)
    return backend.from_numpy(with_layout(weight, layout))


def tensors(arrays: dict[str, Array], layout: str, backend: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors
    """The tensors of arrays, in a layout that any array may have."""
    layout = "transposed" if layout == ONE_FOR_ALL else layout
    return {key: backend.from_numpy(with_layout(value, layout)) for key, value in arrays.items()}


def odd_differences(device: str) -> Iterator[tuple[str, str]]:
    """Of what no kernel covers, or nothing allows: scales of other shapes, matrices, nothing."""
    backend: Any = load_backend(f"triton:{device}")
    rng = np.random.default_rng(0)
    odd = [*refused_schemes().items()]
    odd += [(name, expert_schemes()[name]) for name in ("W8A8", "int4 group")]
    for name, (scheme, cols) in odd:
        leads = ((2, 3), (2, 2, 3), (0, 3), (2, 0), (1, 1), ())
        for shape in (*((*lead, cols) for lead in leads), (2, 3, 0)):
            weight = rng.standard_normal(shape).astype(np.float32)
            expected, answer = answers(
                lambda w=weight, s=scheme: weight_by_reference(w, s),
                lambda w=weight, s=scheme: backend.compress({"weight": backend.from_numpy(w)}, s),
            )
            yield from compared(f"{name} {shape}", expected, answer, backend)
    weight = rng.standard_normal((2, 4, 16)).astype(np.float32)
    spread = QuantizationArgs(num_bits=2, strategy="group", group_size=8)
    for args in (QuantizationArgs(strategy="channel"), spread, QuantizationArgs(num_bits=4)):
        scheme = QuantizationScheme(["Linear"], args)
        for x in (weight, weight[0]):
            shapes: list[tuple[int, ...]] = [(1,), (4,), (4, 1), (4, 2), (8, 1), (8, 2), (2, 1, 1)]
            shapes += [(1, 4, 1), (2, 4, 1), (1, 4, 2), (2, 4, 2), (2, 4, 16), (1, 1, 1, 1)]
            for shape in shapes:
                state = {"weight": x, "weight_scale": rng.random(shape).astype(np.float32)}
                label = f"{args.strategy} {x.shape}, scale {shape}"
                for verb in ("compress", "decompress"):
                    given = {key: backend.from_numpy(value) for key, value in state.items()}
                    expected, answer = answers(
                        lambda t=state, s=scheme, v=verb: getattr(reference, v)(t, s),
                        lambda t=given, s=scheme, v=verb: getattr(backend, v)(t, s),
                    )
                    yield from compared(f"{verb} {label}", expected, answer, backend)
                    if not isinstance(expected, dict):
                        break
                    state = expected


def main() -> int:
    """Print what differs or fell back; 1 if anything does."""
    found = [*expert_differences(sys.argv[1]), *odd_differences(sys.argv[1])]
    for label, what in found:
        print(f"{label}: {what}")  # noqa: T201
    print(f"{len(found)} differ or fell back")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
