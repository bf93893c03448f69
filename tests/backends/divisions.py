"""The short cuts of the kernels, on all numbers: the same bits as the long way.

Run on a GPU as ``python -m tests.backends.divisions``. Every mantissa of x by every mantissa of s:
the cheap divisions are IEEE's. Powers of two change neither side: the kernels keep k * s and x * k
where all of the steps are normal. Every float32: the codes made of sums are those made of bits.
"""

import sys

import torch
import triton
import triton.language as tl

from qparity.backends.triton_fused.arithmetic import (
    CORRECTED,
    RECIPROCAL,
    prepare_divisor,
    quotient,
    to_dtype,
)
from qparity.backends.triton_fused.codes import (
    encode_e2,
    encode_float,
    encode_int,
    encode_steps,
)

BLOCK = 4096


@triton.jit
def count_differences(
    count_ptr,
    s_ptr,
    x_ptr,
    n_x,
    n_s,
    S_BLOCK: tl.constexpr,
    DIVISION: tl.constexpr,
    W: tl.constexpr,
):
    """How many of one s per lane by all x differ."""
    at = tl.program_id(0) * S_BLOCK + tl.arange(0, S_BLOCK)
    s = tl.load(s_ptr + at, mask=at < n_s, other=1.0)
    k, divisor, r = prepare_divisor(s, DIVISION)
    wrong = tl.zeros([S_BLOCK], tl.int64)
    for i in range(n_x):
        x = tl.full([S_BLOCK], 0.0, tl.float32) + tl.load(x_ptr + i)
        fast = to_dtype(quotient(x, k, divisor, r, DIVISION), W)
        exact = to_dtype(tl.div_rn(x, s), W)
        wrong += (fast.to(tl.int32, bitcast=True) != exact.to(tl.int32, bitcast=True)).to(tl.int64)
    tl.atomic_add(count_ptr, tl.sum(wrong, axis=0))


@triton.jit
def count_other_codes(
    count_ptr, BLOCK: tl.constexpr, BITS: tl.constexpr, MANTISSA: tl.constexpr, MAX: tl.constexpr
):
    """How many float32 have another code; of integers (MANTISSA -1) those up to 2^23."""
    bits = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    y = bits.to(tl.int32).to(tl.float32, bitcast=True)
    if MANTISSA < 0:
        known = tl.abs(y) <= 8388608.0
        long = encode_int(y, -(2.0 ** (BITS - 1)), MAX) + (1 << (BITS - 1))
        short = encode_steps(y, BITS)
    else:
        known = y == y
        long = encode_float(y, BITS, MANTISSA, 0, MAX)
        short = encode_e2(y, BITS, MANTISSA, 0, MAX)
    wrong = (known & (short != long)).to(tl.int64)
    tl.atomic_add(count_ptr, tl.sum(wrong, axis=0))


def mantissas(bits: int) -> torch.Tensor:
    """All numbers from 1 to 2 with that many bits after the point."""
    return 1 + torch.arange(1 << bits, device="cuda", dtype=torch.float64).div(1 << bits).float()


def main() -> int:
    """Print how many pairs differ, for each kind; 1 if any does."""
    wrong = 0
    for label, x_bits, s_bits, division, working in (
        ("bfloat16 / bfloat16, to bfloat16", 7, 7, RECIPROCAL, tl.bfloat16),
        ("float16 / float16, to float32", 10, 10, CORRECTED, tl.float32),
        ("bfloat16 / float32, to float32", 7, 23, CORRECTED, tl.float32),
        ("float16 / float32, to float32", 10, 23, CORRECTED, tl.float32),
    ):
        x = mantissas(x_bits)
        s = (1 + torch.arange(1 << s_bits, device="cuda").double() / (1 << s_bits)).float()
        count = torch.zeros(1, dtype=torch.int64, device="cuda")
        count_differences[(triton.cdiv(s.numel(), 128),)](
            count,
            s,
            x,
            x.numel(),
            s.numel(),
            S_BLOCK=128,
            DIVISION=division,
            W=working,
            enable_fp_fusion=False,
        )
        differ = int(count.item())
        wrong += differ
        print(f"{label}: {differ} of {x.numel() * s.numel()} pairs differ")  # noqa: T201
    for label, bits, mantissa, largest in (
        ("fp4", 4, 1, 6.0),
        ("fp6", 6, 3, 7.5),
        *((f"int{b}", b, -1, 2.0 ** (b - 1) - 1) for b in range(1, 9)),
    ):
        count = torch.zeros(1, dtype=torch.int64, device="cuda")
        count_other_codes[(2**32 // BLOCK,)](
            count, BLOCK=BLOCK, BITS=bits, MANTISSA=mantissa, MAX=largest, enable_fp_fusion=False
        )
        differ = int(count.item())
        wrong += differ
        print(f"{label}, every float32: {differ} codes differ")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
