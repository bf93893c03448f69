"""The stream of ``conformance.stream`` as one npz file, for tools that speak numpy.

Members of case 3: ``3/line``, its line with ``@`` in place of bits; ``3/in/NAME``, the arrays;
``3/out/NAME``, the answer. Where numpy lacks the dtype, the bits with it as a suffix:
``3/in/x.bfloat16`` holds uint16.
"""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import ml_dtypes
import numpy as np

from .bits import Array, bits_of
from .line import MAGIC, case_fields, case_of, inputs_text
from .stream import UNSUPPORTED, Answer, Question, header_of, named, verify_digest

__all__ = ["read_npz", "write_npz"]

_WITHOUT_NUMPY = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
_OPENED = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def write_npz(questions: Iterator[Question], stream: IO[bytes]) -> None:
    """All questions to a stream, which need not be seekable; in constant memory."""
    with zipfile.ZipFile(stream, "w") as archive:
        for question in questions:
            fields = case_fields(question.case)
            header, inputs = question.header, inputs_text(fields)
            shown = inputs_text({k: _without_bits(v) for k, v in fields.items()})
            line = f"{MAGIC} {header.text} digest={header.digest(inputs)} {shown}"
            _write(archive, f"{header.index}/line", np.array(line))
            for name, value in fields.items():
                if isinstance(value, np.ndarray):
                    _write(archive, f"{header.index}/in/{_tagged(name, value)}", _plain(value))


def read_npz(stream: IO[bytes]) -> Iterator[Answer]:
    """The answers in an npz file, one at a time; a stream is first copied to a temporary file.

    Raises:
        ValueError: if it is none, or a member is missing; the message names the case.
    """
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        if file.tell() == 0:
            return
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise ValueError(f"the input is no npz file: {error}") from error
        with archive:
            members: dict[str, list[str]] = {}
            for name in archive.namelist():
                members.setdefault(name.partition("/")[0], []).append(name)
            for index in sorted(members, key=_number):
                try:
                    yield _answer(archive, index, members[index])
                except (*_OPENED, TypeError, KeyError, AttributeError) as error:
                    raise ValueError(f"case {index}: {error}") from error


def _answer(archive: zipfile.ZipFile, index: str, members: list[str]) -> Answer:
    tokens = str(_read(archive, f"{index}/line.npy")).split(" ")
    header, digest = header_of(tokens)
    if str(header.index) != index:
        raise ValueError(f"its line is that of case {header.index}")
    arrays = dict(_arrays(archive, members, f"{index}/in/"))
    pairs = [token.partition("=") for token in tokens[5:]]
    fields = {k: arrays.get(k, v) if v.endswith(":@") else v for k, _, v in pairs}
    verify_digest(header, digest, inputs_text(fields))
    place = f"case {index}"
    case = case_of(header.op, fields)
    outputs = dict(_arrays(archive, members, f"{index}/out/"))
    if set(outputs) == {UNSUPPORTED}:
        return Answer(place, header, case, None)
    if not outputs:
        raise ValueError(f"no answer; allowed: {index}/out/NAME, or {index}/out/{UNSUPPORTED}")
    return Answer(place, header, case, named(outputs))


def _arrays(
    archive: zipfile.ZipFile, members: list[str], folder: str
) -> Iterator[tuple[str, Array]]:
    for member in members:
        if not member.startswith(folder):
            continue
        name, array = member.removeprefix(folder).removesuffix(".npy"), _read(archive, member)
        plain, _, dtype = name.rpartition(".")
        if dtype in _WITHOUT_NUMPY:
            wanted = np.dtype(getattr(ml_dtypes, dtype))
            if array.dtype != np.dtype(f"u{wanted.itemsize}"):
                raise ValueError(f"{name}: {array.dtype.name}; allowed: uint{8 * wanted.itemsize}")
            name, array = plain, array.view(wanted)
        elif array.dtype.kind == "V":
            raise ValueError(f"{name}: {array.dtype}; allowed: the bits, as {name}.DTYPE")
        yield name, array


def _read(archive: zipfile.ZipFile, member: str) -> Array:
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _write(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    with archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def _tagged(name: str, array: Array) -> str:
    dtype = array.dtype.name
    return f"{name}.{dtype}" if dtype in _WITHOUT_NUMPY else name


def _plain(array: Array) -> Array:
    return bits_of(array) if array.dtype.name in _WITHOUT_NUMPY else np.array(array, order="C")


def _without_bits(value: object) -> object:
    if not isinstance(value, np.ndarray):
        return value
    return f"{value.dtype.name}:{'x'.join(str(n) for n in value.shape)}:@"


def _number(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"member {text!r} is of no case; allowed: 0/line, 0/in/NAME, 0/out/NAME")
    return int(text)
