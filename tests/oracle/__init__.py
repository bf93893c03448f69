"""The exact oracle: the specification in rationals, one element at a time.

Slow and obviously right. It uses the standard library alone and shares no code with
the reference, so that an error would have to be made twice to go unseen.

    number      exact arithmetic on rationals, signed zeros, infinities and NaN
    formats     number formats as rows of data; the value of a code
    rounding    nearest, ties to even; casts; rounding to a dtype or to a quantized type
    arithmetic  one elementary operation in float16, bfloat16, float32 or float64
    args        what a quantization is, and its range
    mx          power-of-two scales from the bits of amax
    qparams     scale, zero-point and global scale from a range
    quantize    quantize, dequantize, fake_quantize for one element and its scale
    layout      which scale an element belongs to
    packing     codes to bit strings and back
"""
