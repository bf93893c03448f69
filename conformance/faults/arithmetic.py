"""Elementary operations of the variants, each rounded once to the working dtype."""

import numpy as np

from qparity import reference

from ..bits import Array

BF16 = np.dtype(reference.FORMATS["bfloat16"].dtype)
F16 = np.dtype(np.float16)
F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """The working dtype of two."""
    if a == b:
        return a
    return F32 if a.itemsize == b.itemsize == 2 else max(a, b, key=lambda d: d.itemsize)


def wide(*arrays: Array) -> np.dtype:
    """The dtype an operation on arrays is evaluated in."""
    return F64 if any(array.dtype == F64 for array in arrays) else F32


def cast(x: Array, dtype: np.dtype) -> Array:
    """One rounding; float64 reaches 8 and 16 bits by way of float32."""
    if x.dtype == F64 and dtype.itemsize < 4:
        x = x.astype(F32)
    return np.asarray(x.astype(dtype))


def number(value: float, dtype: np.dtype) -> Array:
    """One number as an array of shape (1,)."""
    return np.array([value], dtype)


class Arithmetic:
    """The operations that the steps are made of."""

    def divide(self, a: Array, b: Array) -> Array:
        """a / b."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) / b.astype(dtype), promote(a.dtype, b.dtype))

    def add(self, a: Array, b: Array) -> Array:
        """a + b."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) + b.astype(dtype), promote(a.dtype, b.dtype))

    def subtract(self, a: Array, b: Array) -> Array:
        """a - b."""
        return self.add(a, -b)

    def multiply(self, a: Array, b: Array) -> Array:
        """a * b."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) * b.astype(dtype), promote(a.dtype, b.dtype))

    def times_number(self, x: Array, value: float) -> Array:
        """x * value, the number being a float32."""
        dtype = wide(x)
        return cast(x.astype(dtype) * dtype.type(value), x.dtype)
