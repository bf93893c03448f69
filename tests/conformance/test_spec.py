"""What a check fixes, and the args that follow from it."""

import numpy as np
import pytest

from qparity.conformance.spec import FORMATS_OF_CODES, Spec


def test_the_formats_are_those_of_args() -> None:
    """int1 to int8, fp4, fp6 and fp8: all that ``QuantizationArgs`` allows, once each."""
    integers = [("int", bits) for bits in range(1, 9)]
    assert list(FORMATS_OF_CODES) == [*integers, ("float", 4), ("float", 6), ("float", 8)]


@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
def test_args_are_of_the_format(kind: str, bits: int) -> None:
    """Args made from a spec have its type and bits; symmetry is free where the format lets it."""
    spec = Spec(kind, bits, np.dtype(np.float32))
    args = spec.make_args(strategy="channel")
    assert (args.type, args.num_bits, args.strategy) == (kind, bits, "channel")
    assert spec.format_name == f"{'int' if kind == 'int' else 'fp'}{bits}"
    if spec.may_be_asymmetric:
        assert not spec.make_args(symmetric=False).symmetric
    else:
        with pytest.raises(ValueError, match="symmetric"):
            spec.make_args(symmetric=False)
