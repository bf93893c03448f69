"""Make the tables and pictures of docs/performance.md from benchmarks/results/cuda.json.

python benchmarks/cuda.py --json benchmarks/results/cuda.json     # on a GPU
python docs/performance.py                                        # writes page and pictures
python docs/performance.py --check                                # exit 1: the page is another

What stands between ``<!-- made: NAME -->`` and ``<!-- end -->`` is made; the rest is by hand.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "performance.md"
DATA = HERE.parent / "benchmarks" / "results" / "cuda.json"
PARTS = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
MAIN = ("bfloat16", (8192, 8192))
GIVEN = ("quantize", "dequantize", "fake_quantize", "compute_dynamic_scales_and_zp")
PEERS = ("compressed-tensors", "torchao", "torchao compiled")
EIGHT_BITS = ("FP8", "FP8_DYNAMIC", "FP8_BLOCK", "W8A8", "W8A16", "MXFP8A16")
_NAMED = 6
Json = Mapping[str, Any]
Row = Mapping[str, Any]


def main() -> int:
    """Write the page and its pictures, or compare the page."""
    parser = argparse.ArgumentParser(description="Make docs/performance.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it differs")
    check = parser.parse_args().check
    data = json.loads(DATA.read_text())
    old = PAGE.read_text()
    new = page(old, data)
    if check:
        return int(new != old)
    PAGE.write_text(new)
    draw(data["rows"], HERE)
    return 0


def page(text: str, data: Json) -> str:
    """The page with its made parts made again.

    Raises:
        KeyError: if a part has a name that nothing makes.
    """
    rows = data["rows"]
    makers: Mapping[str, Callable[[], list[str]]] = {
        "environment": lambda: environment(data),
        "main": lambda: main_table([row for row in of_main(rows) if row["verb"] not in GIVEN]),
        "given": lambda: main_table([row for row in of_main(rows) if row["verb"] in GIVEN]),
        "reasons": lambda: reasons(of_main(rows)),
        "short": lambda: short(of_main(rows)),
        "sizes": lambda: size_table(rows),
        "dtypes": lambda: dtype_table(rows),
        "skipped": lambda: [f"- {what}" for what in data["skipped"]] or ["Nothing was left out."],
    }
    return PARTS.sub(lambda m: f"{m[1]}\n{_joined(makers[m[2]]())}\n{m[3]}", text)


def of_main(rows: Iterable[Row]) -> list[Row]:
    """The rows of the main dtype and shape."""
    return [row for row in rows if (row["dtype"], tuple(row["shape"])) == MAIN]


def environment(data: Json) -> list[str]:
    """Where and how it was measured."""
    found = dict(data["environment"])
    device, commit = found.pop("device"), found.pop("commit")
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    said = f"{device}, {versions}; commit {commit}; {data['seconds']:.0f} s in all:"
    return [said, "", "```", data["command"], "```"]


def main_table(rows: Sequence[Row]) -> list[str]:
    """The rows of one size, with the peers."""
    lines = ["| what | MB moved | µs | GB/s | of copy | aim | " + " | ".join(PEERS) + " |"]
    lines += ["|---|---:|---:|---:|---:|---:|" + "---:|" * len(PEERS)]
    for row in rows:
        aimed = aim(row)
        of_copy = f"{rate(row):.2f}"
        of_copy = f"**{of_copy}**" if aimed is not None and rate(row) < aimed else of_copy
        cells = [name(row), *_numbers(row), of_copy, "" if aimed is None else f"{aimed:.2f}"]
        cells += [_times(row, row["peers"].get(peer)) for peer in PEERS]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def reasons(rows: Iterable[Row]) -> list[str]:
    """Why a peer has no figure, by reason."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        for peer, answer in row["peers"].items():
            if isinstance(answer, str):
                found[peer, answer].append(name(row))
    return [f"- {peer}, {answer}: {_few(of)}" for (peer, answer), of in found.items()]


def short(rows: Iterable[Row]) -> list[str]:
    """What is below its aim, and what is less than ten times as fast as compressed-tensors."""
    lines = []
    for row in rows:
        aimed = aim(row)
        if aimed is not None and rate(row) < aimed:
            lines.append(f"- {name(row)}: {rate(row):.2f} of copy, aimed at {aimed:.2f}")
    for row in rows:
        peer = row["peers"].get("compressed-tensors")
        if isinstance(peer, float | int) and peer < 10 * row["microseconds"]:
            ours, copy = (peer / row[time] for time in ("microseconds", "copy_microseconds"))
            fast = f"{ours:.1f} times as fast as compressed-tensors, where a copy is {copy:.1f}"
            lines.append(f"- {name(row)}: {fast}")
    return lines or ["Nothing."]


def size_table(rows: Iterable[Row]) -> list[str]:
    """bfloat16 by size, smallest first."""
    chosen = [row for row in rows if row["dtype"] == MAIN[0] and row["verb"] not in GIVEN]
    few = {row["preset"] for row in chosen if tuple(row["shape"]) != MAIN[1]}
    chosen = [row for row in chosen if row["preset"] in few and row["verb"] != "quantize_dynamic"]
    lines = [
        "| what | shape | MB of weight | MB moved | µs | GB/s | copy, GB/s | of copy | launches "
    ]
    lines[0] += "| host, µs |"
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for row in sorted(chosen, key=_elements):
        host, copy = row["host_microseconds"], row["moved"] / row["copy_microseconds"] / 1000
        cells = [name(row), " x ".join(map(str, row["shape"])), f"{megabytes(row):,}"]
        cells += [*_numbers(row), f"{copy:,.0f}", f"{rate(row):.2f}"]
        cells += [str(row["launches"] or ""), "" if host is None else f"{host:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def dtype_table(rows: Iterable[Row]) -> list[str]:
    """8192 x 8192, of copy by dtype."""
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if tuple(row["shape"]) == MAIN[1]:
            found[name(row)][row["dtype"]] = row
    dtypes = ("bfloat16", "float16", "float32")
    heads = " | ".join(f"{dtype}, µs | of copy" for dtype in dtypes)
    lines = [f"| what | {heads} |", "|---|" + "---:|---:|" * len(dtypes)]
    for what, by_dtype in found.items():
        if len(by_dtype) > 1:
            cells = [what]
            for dtype in dtypes:
                row = by_dtype.get(dtype)
                cells += ["", ""] if row is None else [_numbers(row)[1], f"{rate(row):.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw(rows: Sequence[Row], folder: Path) -> None:
    """The two pictures: of copy by preset, and by size."""
    from qparity.conformance.pictures.canvas import LINES, paper, save

    main_rows = [row for row in of_main(rows) if row["verb"] not in GIVEN]
    presets = list(dict.fromkeys(row["preset"] for row in main_rows))
    figure, (axes,) = paper(1, 7.0, 0.24 * len(presets) + 1.3)
    for (color, _, marker), verb in zip(
        LINES, ("compress", "decompress", "quantize_dynamic"), strict=False
    ):
        of_verb = [row for row in main_rows if row["verb"] == verb]
        places = [presets.index(row["preset"]) for row in of_verb]
        (dots,) = axes.plot([rate(row) for row in of_verb], places, marker, color=color, label=verb)
        dots.set_markerfacecolor("none" if verb == "decompress" else color)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(presets)), presets)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("rate, over that of a device copy of as many bytes")
    axes.set_title("8192 x 8192, bfloat16")
    axes.legend(loc="lower left")
    save(figure, folder / "performance-presets.svg")
    figure, panels = paper(2, 7.0, 6.0, sharex=True)
    for axes, verb in zip(panels, ("compress", "decompress"), strict=True):
        chosen = [row for row in rows if row["verb"] == verb and row["dtype"] == MAIN[0]]
        few = dict.fromkeys(row["preset"] for row in chosen if tuple(row["shape"]) != MAIN[1])
        for (color, style, marker), preset in zip(LINES, few, strict=False):
            of_preset = sorted((r for r in chosen if r["preset"] == preset), key=_elements)
            points = [(megabytes(row), rate(row)) for row in of_preset]
            axes.plot(*zip(*points, strict=True), style + marker, color=color, label=preset)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_title(verb)
        axes.set_ylabel("of copy")
    panels[0].legend(loc="lower right")
    ticks = sorted({megabytes(row) for row in rows if row["dtype"] == MAIN[0]})
    panels[-1].set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panels[-1].set_xlabel("MB of weight, bfloat16")
    save(figure, folder / "performance-sizes.svg")


def name(row: Row) -> str:
    """What a row is of."""
    return f"{row['verb']} {row['preset']}" + (" (by eager torch)" if row["eager"] else "")


def aim(row: Row) -> float | None:
    """The least part of the copy's rate that the verb is to reach in the main size."""
    if row["verb"] == "decompress":
        return 0.85
    if row["verb"] in ("compress", "quantize_dynamic"):
        return 0.9 if row["preset"] in EIGHT_BITS else 0.8
    return None


def rate(row: Row) -> float:
    """Of the copy's."""
    return float(row["copy_microseconds"] / row["microseconds"])


def megabytes(row: Row) -> int:
    """Of a bfloat16 weight, 2^20 bytes each."""
    return _elements(row) * 2 >> 20


def _elements(row: Row) -> int:
    return int(row["shape"][0] * row["shape"][1])


def _numbers(row: Row) -> list[str]:
    speed = row["moved"] / row["microseconds"] / 1000
    return [f"{row['moved'] / 1e6:,.1f}", f"{row['microseconds']:,.1f}", f"{speed:,.0f}"]


def _times(row: Row, peer: float | str | None) -> str:
    """How many times faster; empty where the peer has no time."""
    return f"{peer / row['microseconds']:.1f} x" if isinstance(peer, float | int) else ""


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} others" if more > 0 else "")


def _joined(lines: Iterable[str]) -> str:
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
