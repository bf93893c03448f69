"""Checks of a field's type and range, with errors that name it."""


def check_type(field: str, value: object, allowed: type) -> None:
    """A value of a type; an int is no bool, but may be a float.

    Raises:
        TypeError: if it has another type.
    """
    found = float if allowed is float and type(value) is int else type(value)
    if found is not allowed:
        raise TypeError(f"{field}: {value!r} is not allowed; allowed: {allowed.__name__}")


def check_range(field: str, value: object, least: int, most: int) -> None:
    """An int within bounds.

    Raises:
        TypeError: if it is no int.
        ValueError: if it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field}: {value!r} is not allowed; allowed: an int")
    if not least <= value <= most:
        raise ValueError(f"{field}: {value} is not allowed; allowed: {least} to {most}")
