"""Tests of a scheme: its laws, parity on every backend that is here, and its report."""

from collections.abc import Callable, Mapping
from pathlib import Path

from qparity.backends import load_backend
from qparity.backends.registry import BUILT_IN
from qparity.reference import QuantizationArgs, QuantizationScheme

from ..comparison import measure, to_markdown
from ..comparison.plot import has_matplotlib, plot
from ..laws import law_tests
from ..pytest_entry import conformance_tests
from ..weights import SAMPLE, matrices, read_tensors, weight_presets

__all__ = ["lab_tests"]

Test = Callable[[], None]


def lab_tests(
    args: QuantizationArgs,
    file: str | Path,
    *,
    weights: str | Path = SAMPLE,
    seed: int = 0,
    cases: int = 8,
) -> dict[str, Test]:
    """The tests of a scheme, by name, for ``globals().update(lab_tests(ARGS, __file__))``.

    Args:
        args: the scheme's.
        file: the report is written beside it: a table to ``NAME.report.md``, with matplotlib a
            picture to ``NAME.report.svg``.
        weights: a safetensors file, on whose 2-D tensors the scheme is measured beside presets.
        seed: the same seed gives the same samples.
        cases: how many samples of a law for each dtype.

    Returns:
        ``test_law_...`` of the reference; ``test_torch_cpu_...`` and so on, for each backend whose
        library and device are here, against the reference; ``test_report``.

    Raises:
        TypeError: if ``args`` are no ``QuantizationArgs``.
    """
    stem = Path(file).stem
    laws = law_tests(args, seed=seed, cases=cases)
    tests = {name.replace("test_", "test_law_", 1): law for name, law in laws.items()}
    scheme = QuantizationScheme(("Linear",), args)
    for backend in backends_here():
        checks = conformance_tests(backend, level="smoke", schemes={stem: scheme}, seed=seed)
        prefix = f"test_{backend.replace(':', '_')}_"
        tests |= {name.replace("test_", prefix, 1): check for name, check in checks.items()}
    return tests | {"test_report": _report_test(args, Path(file), Path(weights))}


def backends_here() -> list[str]:
    """The names of backends that quantize, but the reference, whose library and device are here."""
    found = []
    for name, row in BUILT_IN.items():
        if name == "numpy" or row.extra == "peers":
            continue
        try:
            backend = load_backend(name)
        except ValueError:
            continue
        if getattr(backend, "quantize", None) is not None:
            found.append(name)
    return found


def write_report(
    name: str, args: QuantizationArgs, weights: Mapping[str, object], folder: Path
) -> list[Path]:
    """Measure a scheme beside the weight presets that fit, and write a table, and a picture."""
    tensors = matrices(weights)  # type: ignore[arg-type]
    found = [measure(name, args, tensors)]
    for preset, scheme in weight_presets().items():
        if scheme.weights is not None:
            found.append(measure(preset, scheme.weights, tensors))
    table, picture = (folder / f"{name}{suffix}" for suffix in (".report.md", ".report.svg"))
    text = f"# {name}\n\n`{args!r}`\n\n{to_markdown(found)}"
    if not has_matplotlib():
        table.write_text(text)
        return [table]
    plot(found, picture, marked=[name])
    table.write_text(f"{text}\n![bits, noise and largest error of each scheme]({picture.name})\n")
    return [table, picture]


def _report_test(args: QuantizationArgs, file: Path, weights: Path) -> Test:
    def test_report() -> None:
        written = write_report(file.stem, args, read_tensors(weights), file.absolute().parent)
        assert all(path.stat().st_size for path in written)

    test_report.__doc__ = "Error and bits per weight beside the presets are measured and written."
    return test_report
