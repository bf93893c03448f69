"""PTX that makes codes of eight bfloat16, which lie two in each of four registers.

Most steps are done once for two numbers then. A sum with an anchor, a number beside which the codes
are as far apart as bfloat16 (or float32) are, is rounded to a code, ties to even; its lowest bits
are the code. ``tests/backends/ptx.py`` runs these texts where there is no GPU.

Operands are first the results: of 4 bits a word of eight codes; else two fours, each of four codes
side by side. Then the four pairs, 1 / s and one more number, both float32.
"""

import struct

LARGEST = "max.NaN.xorsign.abs.bf16x2 $0, $1, $2;"  # with any sign
MOST = "max.NaN.bf16x2 $0, $1, $2;"
LEAST = "min.bf16x2 $0, $1, $2;"
OF_TWO = "=r,r,r"
WORD = "=r,r,r,r,r,f,f"
FOURS = "=r,=r,r,r,r,r,f,f"

_ANCHOR = 1.5 * 2**23  # of float32: integers of at most 22 bits are as far apart


def codes_of_integers(bits: int, *, has_zero_point: bool) -> str:
    """Integers of 2 to 7 bits, counted from the least, of x / s + zero_point, which is no NaN.

    x / s, both bfloat16, is x times the reciprocal in float32, rounded to bfloat16.
    """
    half = 1 << (bits - 1)
    pairs, reciprocal, zero_point = _operands(bits)
    lines = [f"cvt.rn.bf16x2.f32 z, {zero_point}, {zero_point};"] if has_zero_point else []
    for i, pair in enumerate(pairs):
        lines += [
            f"shl.b32 b, {pair}, 16; mov.b32 f, b; mul.rn.f32 f, f, {reciprocal};",
            f"and.b32 b, {pair}, 0xffff0000; mov.b32 g, b; mul.rn.f32 g, g, {reciprocal};",
            f"cvt.rn.bf16x2.f32 c{i}, g, f;",
            *([f"fma.rn.bf16x2 c{i}, c{i}, one, z;"] if has_zero_point else []),
            f"max.bf16x2 c{i}, c{i}, least; min.bf16x2 c{i}, c{i}, most;",
            f"fma.rn.bf16x2 c{i}, c{i}, one, anchor;",
        ]
    constants = {"one": 1.0, "least": -half, "most": half - 1, "anchor": 128 + half}
    registers = ".reg .b32 b, z, c<4>; .reg .f32 f, g;"
    return _text(registers, constants, lines + _packed(bits, surplus=0))


def codes_of_small_floats(bits: int, mantissa: int) -> str:
    """float4_e2m1fn or float6_e2m3fn of x / s, s a power of two; x is finite.

    In three ranges codes are one, two and four of the smallest numbers apart, and so the code is
    the least of three sums. Zeros are positive in fp4, and keep their sign in fp6.
    """
    pairs, reciprocal, _ = _operands(bits)
    anchor, sign = 2.0 ** (7 - mantissa), 2.0 ** (bits - 1 - mantissa)
    signed_zero = bits == 6
    # of a sign s, 1 or -1, what is added is sign / 2 - s * sign / 2; or s * sign, s 0 or 1
    first, factor = (anchor + sign / 2, -sign / 2) if signed_zero else (anchor, sign)
    lines = [f"cvt.rn.bf16x2.f32 r, {reciprocal}, {reciprocal};"]
    for i, pair in enumerate(pairs):
        lines += [
            f"fma.rn.bf16x2 y, {pair}, r, minus_zero;",
            "lop3.b32 s, y, minus_zero, one, 0xea;"
            if signed_zero
            else "set.lt.bf16x2.bf16x2 s, y, zero;",
            "and.b32 y, y, 0x7fff7fff; min.bf16x2 y, y, most;",
            f"fma.rn.bf16x2 c{i}, y, one, low;",
            f"fma.rn.bf16x2 b, y, half, middle; min.bf16x2 c{i}, c{i}, b;",
            f"fma.rn.bf16x2 b, y, quarter, high; min.bf16x2 c{i}, c{i}, b;",
            f"fma.rn.bf16x2 c{i}, s, factor, c{i};",
        ]
    constants = {"minus_zero": -0.0, "zero": 0.0, "one": 1.0, "half": 0.5, "quarter": 0.25}
    constants |= {"low": first, "middle": first + 1, "high": first + 2}
    constants |= {"factor": factor, "most": 8 - 4 * 2.0**-mantissa}
    # the sums are from an odd power of two to the next, whose lowest exponent bit is above the code
    return _text(".reg .b32 r, s, y, b, c<4>;", constants, lines + _packed(bits, surplus=128))


def codes_of_two_levels() -> str:
    """float4_e2m1fn of x / s, s float32 and positive; the second number is -s.

    x / s is x times the reciprocal and one step of Newton's method. No quotient but that of zero is
    below the normal numbers.
    """
    pairs, reciprocal, minus_s = _operands(4)
    first = _bits(_ANCHOR)
    # a quotient of about 6.5 has the largest code
    lines = [f"mul.rn.f32 x, {minus_s}, {_float(-6.5)}; cvt.rn.bf16x2.f32 most, x, x;"]
    for i, pair in enumerate(pairs):
        # a zero is positive
        lines += [
            f"fma.rn.bf16x2 s{i}, {pair}, one, zero;",
            f"and.b32 m, {pair}, 0x7fff7fff; min.bf16x2 m, m, most;",
        ]
        for k, half in enumerate(("shl.b32 b, m, 16;", "and.b32 b, m, 0xffff0000;")):
            c = f"c{2 * i + k}"
            lines += [
                f"{half} mov.b32 x, b; mul.rn.f32 y, x, {reciprocal};",
                f"fma.rn.f32 x, y, {minus_s}, x; fma.rn.f32 y, x, {reciprocal}, y;",
                f"fma.rn.f32 x, y, {_float(2)}, {_float(_ANCHOR)}; mov.b32 {c}, x;",
                f"add.rn.f32 x, y, {_float(_ANCHOR + 2)}; mov.b32 b, x; min.s32 {c}, {c}, b;",
                f"fma.rn.f32 x, y, {_float(0.5)}, {_float(_ANCHOR + 4)}; mov.b32 b, x;",
                f"min.s32 {c}, {c}, b;",
            ]
    for distance in (1, 2, 4):
        lines += [
            f"mad.lo.u32 c{i}, c{i + distance}, {1 << (4 * distance)}, c{i};"
            for i in range(0, 8, 2 * distance)
        ]
    surplus = sum(first << (4 * i) for i in range(8)) % 2**32
    lines += [
        # a byte for each sign, all of its bits
        "prmt.b32 s0, s0, s1, 0xfdb9; prmt.b32 s2, s2, s3, 0xfdb9;",
        "prmt.b32 s1, s0, s2, 0x6420; prmt.b32 s3, s0, s2, 0x7531;",
        f"sub.u32 c0, c0, {surplus:#x}; lop3.b32 c0, c0, s1, 0x08080808, 0xf8;",
        "lop3.b32 $0, c0, s3, 0x80808080, 0xf8;",
    ]
    registers = ".reg .b32 b, m, most, s<4>, c<8>; .reg .f32 x, y;"
    return _text(registers, {"one": 1.0, "zero": 0.0}, lines)


def _operands(bits: int) -> tuple[list[str], str, str]:
    """The four pairs, the reciprocal, and the number more; they come after the results."""
    results = 1 if bits == 4 else 2
    operands = [f"${results + i}" for i in range(6)]
    return operands[:4], operands[4], operands[5]


def _packed(bits: int, *, surplus: int) -> list[str]:
    """The results, of the lowest bytes of each half of c0 to c3, which are that much more."""
    two, four = 1 | (1 << (16 + bits)), (1 << (2 * bits)) | (1 << (16 + 3 * bits))
    lines = []
    for k in range(2):
        pair = f"prmt.b32 b, c{2 * k}, c{2 * k + 1}, 0x6420;"
        if bits <= 5:
            more = -surplus * sum(1 << (bits * i) for i in range(4)) % 2**32
            dots = f"dp2a.lo.u32.u32 c{k}, {two:#x}, b, {more:#x};"
            dots += f" dp2a.hi.u32.u32 c{k}, {four:#x}, b, c{k};"
        else:
            more = -surplus * (1 + (1 << bits)) % 2**32
            dots = f"dp2a.lo.u32.u32 c{k}, {two:#x}, b, {more:#x};"
            dots += f" dp2a.hi.u32.u32 b, {two:#x}, b, {more:#x};"
            dots += f" mad.lo.u32 c{k}, b, {1 << (2 * bits)}, c{k};"
        lines += [pair, dots]
    results = "prmt.b32 $0, c0, c1, 0x5410;" if bits == 4 else "mov.b32 $0, c0; mov.b32 $1, c1;"
    return [*lines, results]


def _text(registers: str, constants: dict[str, float], lines: list[str]) -> str:
    """The text with each constant twice in a register, as two bfloat16."""
    declared = f".reg .b32 {', '.join(constants)};"
    known = [
        f"mov.b32 {name}, {_bits(value) >> 16:#06x}{_bits(value) >> 16:04x};"
        for name, value in constants.items()
    ]
    return "\n".join(["{", registers, declared, *known, *lines, "}"])


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack(">f", value), "big")


def _float(value: float) -> str:
    return f"0f{_bits(value):08x}"
