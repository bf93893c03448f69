"""What is wrong with a checkpoint, in one line."""

from pathlib import Path

__all__ = ["CheckpointError", "quoted"]

_LONGEST = 120


class CheckpointError(ValueError):
    """A checkpoint that cannot be read; the message is one line and names the file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(path, message)

    def __str__(self) -> str:
        """The file, printable whatever its name is, and what is wrong."""
        path, message = self.args
        name = str(path)
        shown = name if name.isprintable() else quoted(name)
        return f"{shown}: {message}"


def quoted(value: object) -> str:
    """A value of a hostile file: in ASCII, on one line, not longer than a line."""
    text = ascii(value[:_LONGEST] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
