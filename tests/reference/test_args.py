"""``QuantizationArgs``: defaults, what is valid, equality, and that it cannot change."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from enum import Enum
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qparity.reference import QuantizationArgs

STRATEGIES = ("tensor", "channel", "group", "block", "token", "tensor_group", "attn_head")
GROUPS = ("group", "tensor_group")
SCALE_DTYPES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("float8_e4m3fn", "float8_e5m2", "uint8"),
)
fixed = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("xy"), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def valid_args(draw: st.DrawFn) -> QuantizationArgs:
    """Any valid args, every field drawn."""
    kind, bits = draw(
        st.sampled_from([*(("int", b) for b in range(1, 9)), *(("float", b) for b in (4, 6, 8))])
    )
    strategy = draw(st.sampled_from([None, *STRATEGIES]))
    size = None
    if strategy in GROUPS:
        size = draw(st.sampled_from([1, 16, 32, 128]))
    elif strategy is None:
        size = draw(st.sampled_from([None, -1, 16, 32]))
    elif strategy == "channel":
        size = draw(st.sampled_from([None, -1]))
    resolved = strategy or {None: "tensor", -1: "channel"}.get(size, "group")
    scale_dtype = draw(st.sampled_from([None, *SCALE_DTYPES]))
    symmetric_only = kind == "float" and (bits < 8 or (size == 32 and scale_dtype == "uint8"))
    dynamic: list[bool | str] = {"token": [True], "tensor_group": [False, True, "local"]}.get(
        resolved, [False, True] if resolved in ("tensor", "group") else [False]
    )
    return QuantizationArgs(
        num_bits=bits,
        type=kind,
        symmetric=True if symmetric_only else draw(st.booleans()),
        group_size=size,
        strategy=strategy,
        block_structure=draw(st.sampled_from([(128, 128), (1, 7)]))
        if resolved == "block"
        else None,
        dynamic=draw(st.sampled_from(dynamic)),
        actorder=draw(
            st.sampled_from([None, "weight", *(["group"] if resolved in GROUPS else [])])
        ),
        scale_dtype=scale_dtype,
        zp_dtype=draw(st.sampled_from([None, "int8", *SCALE_DTYPES])),
        observer=draw(st.sampled_from([None, "minmax", "mine"])),
        observer_kwargs=draw(st.dictionaries(st.text("kw"), JSON, max_size=2)),
    )


def test_the_defaults_are_upstream_s() -> None:
    """Without any argument: int8, symmetric, per tensor, static, nothing rounded."""
    args = QuantizationArgs()
    assert {f.name: getattr(args, f.name) for f in fields(args)} == {
        "num_bits": 8,
        "type": "int",
        "symmetric": True,
        "group_size": None,
        "strategy": "tensor",
        "block_structure": None,
        "dynamic": False,
        "actorder": None,
        "scale_dtype": None,
        "zp_dtype": np.dtype(np.int8),
        "observer": None,
        "observer_kwargs": {},
    }


@pytest.mark.parametrize(
    ("size", "strategy"), [(None, "tensor"), (-1, "channel"), (1, "group"), (128, "group")]
)
def test_the_strategy_follows_from_the_group_size(size: int | None, strategy: str) -> None:
    """Where no strategy is given: none is tensor, -1 channel, a positive size group."""
    assert QuantizationArgs(group_size=size).strategy == strategy


def is_valid(
    kind: str,
    bits: int,
    symmetric: bool,
    size: int | None,
    strategy: str | None,
    block: tuple[int, int] | None,
    dynamic: bool | str,
    actorder: str | None,
    scale_dtype: str | None,
) -> bool:
    """SPEC section 3, law by law."""
    if size is not None and (size == 0 or size < -1):
        return False
    resolved = strategy or ("tensor" if size is None else "channel" if size == -1 else "group")
    grouped = resolved in GROUPS
    mx = kind == "float" and size == 32 and scale_dtype == "uint8"
    return all(
        (
            bits in (range(1, 9) if kind == "int" else (4, 6, 8)),
            symmetric or kind == "int" or (bits == 8 and not mx),
            grouped == (size is not None and size > 0),
            (resolved == "block") == (block is not None),
            resolved != "token" or dynamic is True,
            not dynamic or resolved in ("token", "tensor", *GROUPS),
            dynamic != "local" or resolved == "tensor_group",
            actorder != "group" or grouped,
        )
    )


def refusal(**fields: Any) -> str | None:  # noqa: ANN401 - any field
    """Why args are refused, or None."""
    try:
        QuantizationArgs(**fields)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize("strategy", [None, *STRATEGIES])
def test_what_is_valid_is_what_the_specification_allows(kind: str, strategy: str | None) -> None:
    """Over all combinations of fields: accepted exactly where each law of section 3 holds."""
    rest = product(
        (0, 1, 4, 5, 6, 8, 9),
        (True, False),
        (None, -2, -1, 0, 1, 32),
        (None, (2, 3)),
        (False, True, "local"),
        (None, "weight", "group"),
        (None, "uint8"),
    )
    for bits, symmetric, size, block, dynamic, actorder, scale_dtype in rest:
        message = refusal(
            num_bits=bits,
            type=kind,
            symmetric=symmetric,
            group_size=size,
            strategy=strategy,
            block_structure=block,
            dynamic=dynamic,
            actorder=actorder,
            scale_dtype=scale_dtype,
        )
        laws = (kind, bits, symmetric, size, strategy, block, dynamic, actorder, scale_dtype)
        assert (message is None) == is_valid(*laws), laws
        assert message is None or "allowed: " in message


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("weight", "weight"),
        ("static", "weight"),
        ("Static", "weight"),
        ("group", "group"),
        ("dynamic", "group"),
        (True, "group"),
        (False, None),
        (None, None),
    ],
)
def test_actorder_has_aliases(given_: object, kept: str | None) -> None:
    """``static`` is ``weight``; ``dynamic`` and true, of releases up to 0.18, are ``group``."""
    assert QuantizationArgs(group_size=2, actorder=given_).actorder == kept  # type: ignore[arg-type]


@pytest.mark.parametrize("given_", ["128x64", [128, 64], (128, 64)])
def test_a_block_has_two_sizes(given_: object) -> None:
    """A string, a list and a tuple give the same block, a tuple."""
    args = QuantizationArgs(strategy="block", block_structure=given_)  # type: ignore[arg-type]
    assert args.block_structure == (128, 64)


@pytest.mark.parametrize(
    "given_",
    [
        *("bfloat16", "torch.bfloat16", torch.bfloat16),
        *(ml_dtypes.bfloat16, np.dtype(ml_dtypes.bfloat16)),
    ],
)
def test_a_dtype_has_many_spellings(given_: object) -> None:
    """Names with and without ``torch.``, numpy and torch dtypes give the same numpy dtype."""
    args = QuantizationArgs(scale_dtype=given_, zp_dtype=given_)  # type: ignore[arg-type]
    assert args.scale_dtype == args.zp_dtype == np.dtype(ml_dtypes.bfloat16)
    assert args == QuantizationArgs(scale_dtype="bfloat16", zp_dtype="bfloat16")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SCALE_DTYPES)
def test_every_scale_dtype_of_the_specification_is_one(name: str) -> None:
    """All seven are taken for the scale, and for the zero-point too."""
    args = QuantizationArgs(scale_dtype=name, zp_dtype=name)  # type: ignore[arg-type]
    assert args.scale_dtype is not None
    assert (args.scale_dtype.name, args.zp_dtype) == (name, args.scale_dtype)


@pytest.mark.parametrize(("kind", "bits"), [("int", 4), ("int", 8), ("float", 4), ("float", 8)])
def test_the_zero_point_has_a_dtype_of_its_own(kind: str, bits: int) -> None:
    """By default it is int8 for integers, and float8_e4m3fn for every float."""
    found = QuantizationArgs(num_bits=bits, type=kind).zp_dtype
    assert found is not None
    assert found.name == ("int8" if kind == "int" else "float8_e4m3fn")


class Spelling(Enum):
    """Values as upstream's enumerations hold them."""

    FLOAT = "float"
    TENSOR_GROUP = "tensor_group"
    LOCAL = "local"
    WEIGHT = "weight"


def test_names_are_plain_lower_case_strings() -> None:
    """Upper case and enumerations are taken; what is kept are plain strings."""
    args = QuantizationArgs(
        num_bits=4,
        type=Spelling.FLOAT,  # type: ignore[arg-type]
        strategy=Spelling.TENSOR_GROUP,  # type: ignore[arg-type]
        dynamic=Spelling.LOCAL,  # type: ignore[arg-type]
        actorder=Spelling.WEIGHT,  # type: ignore[arg-type]
        group_size=16,
    )
    kept = (args.type, args.strategy, args.dynamic, args.actorder)
    assert kept == ("float", "tensor_group", "local", "weight")
    assert all(type(name) is str for name in kept)
    assert QuantizationArgs(type="INT", strategy="Channel").strategy == "channel"


@pytest.mark.parametrize(
    ("options", "is_mx"),
    [
        ({"type": "float", "num_bits": 4, "group_size": 32, "scale_dtype": "uint8"}, True),
        ({"type": "float", "num_bits": 8, "group_size": 32, "scale_dtype": "uint8"}, True),
        ({"type": "float", "num_bits": 4, "group_size": 16, "scale_dtype": "uint8"}, False),
        ({"type": "float", "num_bits": 4, "group_size": 32, "scale_dtype": "bfloat16"}, False),
        ({"type": "float", "num_bits": 4, "group_size": 32}, False),
        ({"type": "int", "num_bits": 4, "group_size": 32, "scale_dtype": "uint8"}, False),
    ],
)
def test_mx_is_floats_in_32_with_codes_for_scales(options: dict[str, Any], is_mx: bool) -> None:
    """A float type, groups of 32 and ``scale_dtype`` uint8 make MX; none of them may lack."""
    assert QuantizationArgs(**options).is_mx == is_mx


def test_fp4_tensor_groups_have_e4m3_scales() -> None:
    """There a null ``scale_dtype`` computes with e4m3; elsewhere null means not rounded."""
    fp4 = QuantizationArgs(num_bits=4, type="float", strategy="tensor_group", group_size=16)
    assert fp4.scale_dtype is None
    assert fp4.resolved_scale_dtype == ml_dtypes.float8_e4m3fn
    assert QuantizationArgs(num_bits=4, type="float", group_size=16).resolved_scale_dtype is None
    assert QuantizationArgs(scale_dtype="float16").resolved_scale_dtype == np.float16  # type: ignore[arg-type]


@fixed
@given(valid_args(), valid_args())
def test_equal_args_hash_alike(one: QuantizationArgs, other: QuantizationArgs) -> None:
    """Equality is that of all fields; equal args have equal hashes."""
    same = all(getattr(one, f.name) == getattr(other, f.name) for f in fields(one))
    assert (one == other) == same
    again = copy.copy(one)
    assert again == one
    assert hash(again) == hash(one)
    assert len({one, again}) == 1


def test_observer_kwargs_are_part_of_equality_and_hash() -> None:
    """Args with other observer arguments are others; the order of keys is none."""
    one = QuantizationArgs(observer_kwargs={"a": [1, {"b": {2, 5}}], "c": 3})
    same = QuantizationArgs(observer_kwargs={"c": 3, "a": [1, {"b": {5, 2}}]})
    other = QuantizationArgs(observer_kwargs={"c": 3, "a": [1, {"b": {4, 5}}]})
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert len({one, same, other, QuantizationArgs()}) == 3


def test_observer_kwargs_stay_a_mapping() -> None:
    """They read like the dict that was given, and are not changed by changing it."""
    given_ = {"averaging_constant": 0.5}
    kwargs = QuantizationArgs(observer_kwargs=given_).observer_kwargs
    given_["averaging_constant"] = 0.1
    assert isinstance(kwargs, Mapping)
    assert (kwargs["averaging_constant"], len(kwargs), list(kwargs)) == (
        0.5,
        1,
        ["averaging_constant"],
    )
    assert kwargs == {"averaging_constant": 0.5}
    assert kwargs.get("missing", 7) == 7


def test_what_observer_kwargs_hold_is_copied() -> None:
    """No list that was given, read or written out changes the args when it grows."""
    given_ = {"a": [1, {"b": [2]}]}
    args = QuantizationArgs(observer_kwargs=given_)
    before = hash(args)
    read = (
        args.observer_kwargs["a"],
        *args.observer_kwargs.values(),
        dict(args.observer_kwargs)["a"],
    )
    for held in (given_["a"], args.to_dict()["observer_kwargs"]["a"], *read):
        held.append(3)
        held[1]["b"].append(4)
        assert args.observer_kwargs == {"a": [1, {"b": [2]}]}
        assert hash(args) == before


def test_args_cannot_change() -> None:
    """No field can be set, none added, and observer arguments have no way to be assigned."""
    args = QuantizationArgs(observer_kwargs={"a": 1})
    for name in ("num_bits", "scale_dtype", "observer_kwargs"):
        with pytest.raises(FrozenInstanceError):
            setattr(args, name, 4)
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(args, "added", 1)
    with pytest.raises(TypeError):
        args.observer_kwargs["a"] = 2  # type: ignore[index]


@fixed
@given(valid_args())
def test_a_repr_evaluates_to_the_same_args(args: QuantizationArgs) -> None:
    """What is printed, put into Python again, is equal."""
    names = {"QuantizationArgs": QuantizationArgs, "inf": float("inf")}
    assert eval(repr(args), names) == args


@fixed
@given(valid_args(), st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_args_can_be_pickled_and_copied(args: QuantizationArgs, protocol: int) -> None:
    """A pickle of any protocol, a copy and a deep copy are equal, frozen and hash alike."""
    for again in (
        pickle.loads(pickle.dumps(args, protocol)),
        copy.copy(args),
        copy.deepcopy(args),
    ):
        assert again == args
        assert hash(again) == hash(args)
        assert again.is_mx == args.is_mx
        with pytest.raises(FrozenInstanceError):
            again.num_bits = 1
