"""What the pages hold at build time: code from the source, pictures, the pages that there are.

``{{ source module:name }}`` is a function without its docstring; ``{{ picture KIND ... }}`` is what
``qparity plot KIND ...`` draws; a link out of this folder becomes its text.
"""

import ast
import base64
import inspect
import io
import re
import shlex
import textwrap
from contextlib import redirect_stderr
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qparity.conformance.cli import main

NAV: list[tuple[str, list[tuple[str, str]]]] = [
    ("", [("Home", "index.md")]),
    (
        "Study the math",
        [
            ("Numbers", "study/numbers.md"),
            ("Rounding", "study/rounding.md"),
            ("Scale and zero-point", "study/scale.md"),
            ("Their dtypes", "study/dtypes.md"),
            ("Groups and blocks", "study/groups.md"),
            ("Two levels of scale", "study/two-levels.md"),
            ("MX", "study/mx.md"),
            ("Packing", "study/packing.md"),
            ("Where implementations part", "study/divergence.md"),
        ],
    ),
    (
        "Guides",
        [
            ("Specification", "specification.md"),
            ("Formats of one's own", "own-formats.md"),
            ("Laws", "laws.md"),
            ("Property tests", "property-tests.md"),
            ("Any language", "any-language.md"),
            ("Known failures", "known-failures.md"),
        ],
    ),
    (
        "Evidence",
        [
            ("Deviations from upstream", "deviations.md"),
            ("Strength of the judge", "strength.md"),
            ("Parity", "parity.md"),
            ("Performance", "performance.md"),
        ],
    ),
    ("", [("Functions", "api.md")]),
]
_MACRO = re.compile(r"^\{\{ (source|picture) (.+?) \}\}$", re.MULTILINE)
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./(?!study|notebooks)[^)]*\)")


def on_config(config: Any) -> Any:  # noqa: ANN401 - of mkdocs
    """The navigation, of the pages that exist."""
    folder = Path(config["docs_dir"])
    nav: list[dict[str, Any]] = []
    for title, pages in NAV:
        present = [{name: page} for name, page in pages if (folder / page).is_file()]
        listed = {page for _, known in NAV for _, page in known}
        if title == "Guides":
            found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
            present += [{_title(folder / page): page} for page in sorted(found - listed)]
        nav += [{title: present}] if title and present else present
    config["nav"] = nav
    return config


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:  # noqa: ANN401 - of mkdocs
    """The text of a page, filled in."""
    del others
    if not page.file.src_uri.startswith("study/"):
        markdown = _OUTSIDE.sub(r"\1", markdown)
    return _MACRO.sub(_filled, markdown)


def source_of(name: str) -> str:
    """A function or class of the source, without docstrings."""
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    found = found.fget if isinstance(found, property) else inspect.unwrap(found)
    text = textwrap.dedent(inspect.getsource(found))
    node = ast.parse(text).body[0]
    assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
    lines = text.splitlines()
    if ast.get_docstring(node) is not None:
        first = node.body[0]
        assert first.end_lineno is not None
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def picture_of(arguments: str) -> bytes:
    """The PNG that ``qparity plot`` draws.

    Raises:
        ValueError: if it cannot be drawn.
    """
    with TemporaryDirectory() as folder:
        out, said = Path(folder) / "picture.png", io.StringIO()
        try:
            with redirect_stderr(said):
                main(["plot", *shlex.split(arguments), "--out", str(out)])
        except SystemExit as exit_:
            if exit_.code != 0:
                raise ValueError(f"picture {arguments}: {said.getvalue()}") from exit_
        return out.read_bytes()


def _title(path: Path) -> str:
    return path.read_text().split("\n")[0].removeprefix("# ")


def _filled(match: re.Match[str]) -> str:
    kind, text = match.groups()
    if kind == "source":
        module = text.partition(":")[0].replace("qparity.", "").replace(".", "/")
        return f'```python title="{module}.py"\n{source_of(text)}\n```'
    data = base64.b64encode(picture_of(text)).decode()
    image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
    return f"{image}\n\n`qparity plot {text} --out picture.png`"
