"""For mkdocstrings: the doctests of a docstring are its section of examples."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Puts the first line that starts with ``>>>``, and all after it, under a heading."""

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:  # noqa: ANN401 - of griffe
        """Change the docstring of an object, if it has one."""
        del others
        if obj.docstring is None:
            return
        text, found, example = obj.docstring.value.partition("\n>>> ")
        if found and "Examples:" not in text:
            lines = re.sub(r"^(?=.)", "    ", f">>> {example}", flags=re.MULTILINE)
            obj.docstring.value = f"{text}\n\nExamples:\n{lines}\n"
