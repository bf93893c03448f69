"""The real weight of the repository, and qparams from its minima and maxima."""

from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from qparity.reference import QuantizationArgs
from tests.peers.bits import Array
from tests.peers.upstream import array

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
DENSE = REPOSITORY / "conformance" / "samples" / "dense.safetensors"


def read(path: Path) -> dict[str, Array]:
    """The tensors of a file of one module, by their local names."""
    return {key.rpartition(".")[2]: array(value) for key, value in load_file(path).items()}


def observed(weight: Array, args: QuantizationArgs) -> tuple[Array, Array]:
    """The minimum and maximum of each unit of a 2-D or 3-D weight, in its dtype."""
    exact = weight.astype(np.float64)
    axes: int | tuple[int, ...] = -1
    if args.strategy in ("group", "tensor_group"):
        size = args.group_size or 1
        exact = exact.reshape(*exact.shape[:-1], exact.shape[-1] // size, size)
    elif args.strategy == "block":
        rows, cols = args.block_structure or (1, 1)
        missing = [(0, -n % size) for n, size in zip(exact.shape, (rows, cols), strict=True)]
        exact = np.pad(exact, missing)
        exact = exact.reshape(exact.shape[0] // rows, rows, exact.shape[1] // cols, cols)
        axes = (1, 3)
    elif args.strategy == "tensor":
        exact = exact.reshape(1, -1)
    keepdims = args.strategy == "channel"
    low, high = (f(exact, axis=axes, keepdims=keepdims) for f in (np.min, np.max))
    return low.astype(weight.dtype), high.astype(weight.dtype)
