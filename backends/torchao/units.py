"""What torchao calls ``block_size``: the shape of the elements that share a scale."""

import torch

from qparity.reference import FormatArgs, QuantizationArgs

__all__ = ["block_size", "check"]


def check(args: QuantizationArgs | None, *without: object) -> QuantizationArgs:
    """Args that torchao can be told.

    Raises:
        NotImplementedError: if the args are of no format of its, or one of ``without`` is given.
    """
    if args is None or isinstance(args, FormatArgs):
        raise NotImplementedError("torchao is asked for int1 to int8, fp4, fp6 and fp8 alone")
    if any(value is not None for value in without):
        raise NotImplementedError("torchao has no g_idx, global scale or dtype here")
    return args


def block_size(x: torch.Tensor, args: QuantizationArgs) -> tuple[int, ...]:
    """The block of a 2-D tensor by the strategy.

    Raises:
        NotImplementedError: if x is not 2-D, or the strategy has no such blocks.
    """
    if x.ndim != 2 or x.numel() == 0:
        raise NotImplementedError("torchao is asked for 2-D tensors alone")
    rows, columns = x.shape
    if args.strategy == "tensor":
        return rows, columns
    if args.strategy in ("channel", "token"):
        return 1, columns
    if args.strategy == "group" and args.group_size is not None:
        return 1, args.group_size
    block = args.block_structure
    if block is not None and rows % block[0] == 0 and columns % block[1] == 0:
        return block
    raise NotImplementedError(f"torchao has no {args.strategy} of this shape")
