"""Cases for a kernel in any language, and what it answered: lines in, verdicts out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from .bits import Array
from .case import Case
from .line import MAGIC, Header, case_fields, case_of, decode_fields, inputs_text
from .only import cases_meeting
from .operations import all_checks

__all__ = ["Answer", "Question", "make_questions", "questions_of", "read_lines", "write_line"]

_ARROW = " -> "
UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Question:
    """A case and its place in the stream."""

    header: Header
    case: Case


@dataclass(frozen=True, slots=True)
class Answer:
    """What a kernel made of a case.

    Attributes:
        place: ``line 5``, for messages.
        header: which case it is.
        case: the inputs as the kernel echoed them; they are those that were asked.
        outputs: by name; None if the kernel does not support the case.
    """

    place: str
    header: Header
    case: Case
    outputs: dict[str, Array] | None


def make_questions(
    op: str,
    *,
    seed: int = 0,
    number: int = 256,
    only: Sequence[str] = (),
    nan: bool = True,
    compute_dtype: np.dtype | None = None,
) -> Iterator[Question]:
    """Cases of one operation, taken in turn from all of its checks.

    Args:
        op: the operation.
        seed: the same seed gives the same cases.
        number: of cases.
        only: conditions such as ``args.type=int`` or ``x=float32``; a case meets all of them.
        nan: whether NaN is among the values of every second example.
        compute_dtype: as in ``all_checks``.

    Raises:
        ValueError: if there is no such operation, or no case meets the conditions.
    """
    wanted = [condition.partition("=") for condition in only]
    if any(not equals for _, equals, _ in wanted):
        raise ValueError(f"only: {list(only)} is not allowed; allowed: name=value")
    checks = [check for check in all_checks(compute_dtype) if check.op == op]
    conditions = [(name, text) for name, _, text in wanted]
    sources = [cases_meeting(conditions, check, seed, nan) for check in checks]
    made = 0
    while sources:
        for source in tuple(sources):
            if made >= number:
                return
            case = next(source, None)
            if case is None:
                sources.remove(source)
            else:
                yield Question(Header(op, made, number, seed), case)
                made += 1
    if made < number:
        raise ValueError(f"only: no case of {op} has {' and '.join(only)}; the names are in a line")


def questions_of(op: str, cases: Sequence[Case]) -> Iterator[Question]:
    """Given cases as a stream."""
    for i, case in enumerate(cases):
        if case.op != op:
            raise ValueError(f"case: it is one of {case.op}; allowed: one of {op}")
        yield Question(Header(op, i, len(cases), 0), case)


def write_line(question: Question) -> str:
    """A question as a line, without its newline."""
    inputs = inputs_text(case_fields(question.case))
    header = question.header
    return f"{MAGIC} {header.text} digest={header.digest(inputs)} {inputs}"


def read_lines(stream: IO[str]) -> Iterator[Answer]:
    """The answers in a text stream, one at a time.

    Raises:
        ValueError: if a line is none; the message names its number.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield _answer(f"line {number}", line.rstrip("\r\n"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"line {number}: {error}") from error


def header_of(tokens: list[str]) -> tuple[Header, str]:
    """The header of a line and its digest, from the first five of its tokens.

    Raises:
        ValueError: if they are none.
    """
    names = ("op", "case", "seed", "digest")
    pairs = [token.partition("=") for token in tokens[1:5]]
    if tokens[:1] != [MAGIC] or tuple(name for name, _, _ in pairs) != names:
        raise ValueError(
            f"{' '.join(tokens)[:40]!r} does not begin a case; "
            f"allowed: {MAGIC} op=... case=... seed=... digest=..."
        )
    op, place, seed, digest = (text for _, _, text in pairs)
    index, _, total = place.partition("/")
    if not (index.isdigit() and total.isdigit() and seed.removeprefix("-").isdigit()):
        raise ValueError(f"case: {place!r} of seed {seed!r}; allowed: whole numbers")
    return Header(op, int(index), int(total), int(seed)), digest


def verify_digest(header: Header, digest: str, inputs: str) -> None:
    """Hold the inputs of an answer to those of its question.

    Raises:
        ValueError: if they are others.
    """
    if header.digest(inputs) != digest:
        raise ValueError(f"case {header.index} is not as it was asked: its digest is not {digest}")


def _answer(place: str, line: str) -> Answer:
    asked, arrow, answered = line.partition(_ARROW)
    tokens = asked.split(" ", 5)
    header, digest = header_of(tokens)
    inputs = tokens[5] if len(tokens) > 5 else ""
    verify_digest(header, digest, inputs)
    case = case_of(header.op, decode_fields(iter(inputs.split(" "))))
    if not arrow:
        raise ValueError("no answer; allowed: the line, ' -> ' and outputs, or 'unsupported'")
    if answered.strip() == UNSUPPORTED:
        return Answer(place, header, case, None)
    outputs = decode_fields(iter(answered.split()))
    texts = [name for name, value in outputs.items() if not isinstance(value, np.ndarray)]
    if texts or not outputs:
        field = texts[0] if texts else "outputs"
        raise ValueError(f"{field}: no array; allowed: name=dtype:shape:bits")
    return Answer(place, header, case, named(outputs))


def named(outputs: dict[str, Array]) -> dict[str, Array]:
    """The only output of an operation is ``out`` in a stream and has no name within."""
    return {"": outputs["out"]} if set(outputs) == {"out"} else outputs
