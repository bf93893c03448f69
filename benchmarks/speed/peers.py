"""The peers of a row: microseconds of each, or the reason why it has none."""

from collections.abc import Callable, Mapping

import torch

from . import ours, peer_compressed_tensors, peer_torchao
from .clock import Call, from_host
from .rows import Task

_BURST = 5


def time_of(peer: str, task: Task, device: str) -> float | str:
    """Microseconds of a peer as it is called, or why it cannot be."""
    try:
        call = PEERS[peer](task, device)
        call()
        return from_host([call], _BURST, _BURST)
    except Exception as error:  # noqa: BLE001 - what a peer cannot do has a reason
        kind = "" if isinstance(error, NotImplementedError) else f"{type(error).__name__}: "
        return f"{kind}{' '.join(str(error).split())[:160]}"


def _compressed_tensors(task: Task, device: str) -> Call:
    peer = peer_compressed_tensors.load(device)
    return peer_compressed_tensors.prepared(peer, task, ours.weight_of(task, device))


def _torchao(task: Task, device: str) -> Call:
    function, inputs = peer_torchao.prepared(task, ours.weight_of(task, device))
    return lambda: function(*inputs)


def torchao_compiled(task: Task, device: str) -> Call:
    """The call under torch.compile.

    Raises:
        NotImplementedError: if torchao has none, or it is the function of another row.
    """
    function, inputs = peer_torchao.prepared(task, ours.weight_of(task, device))
    if task.preset not in peer_torchao.COMPILED.get(task.verb, ()):
        raise NotImplementedError("not compiled: another row has the same functions")
    torch._dynamo.reset()
    fast = torch.compile(function, dynamic=False)
    return lambda: fast(*inputs)


PEERS: Mapping[str, Callable[[Task, str], Call]] = {
    "compressed-tensors": _compressed_tensors,
    "torchao": _torchao,
    "torchao compiled": torchao_compiled,
}
