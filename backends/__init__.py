"""Backends: the verbs of ``qparity.reference``, on other arrays and devices (SPEC section 11).

A backend is a module or an object with

- ``from_numpy(array)``, which takes a numpy or ml_dtypes array to the backend's own array, and
  ``to_numpy(array)``, which takes it back; both keep every bit, the shape and the dtype;
- any subset of the functions of ``qparity.reference``, with the same names and arguments. Arrays
  are the backend's own, everything else is the reference's: ``QuantizationArgs``,
  ``QuantizationScheme``, Python numbers, and numpy or ml_dtypes dtypes for dtypes.

What a backend lacks is unsupported, not failed. It may take the arrays it is given to be its own,
but the caller's numpy array must never change. Backends share nothing but the bridge of bits. One
that answers some calls by slower code may count these by function in a ``Counter`` named
``fallbacks``: the report tells their number.

``load_backend(name)`` finds one by name; importing this package imports no backend, nor torch.
"""

from .registry import Backend, load_backend

__all__ = ["Backend", "load_backend"]
