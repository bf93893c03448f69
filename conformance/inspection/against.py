"""A module recomputed from its dense weight, and compared bit for bit.

Qparams are recomputed by min/max of the weight. Where the stored ones differ, the codes tell which
ones they were made with: those that are stored (then they are taken as given, and said so), or
those of min/max (then what is stored is stale, and wrong).
"""

from dataclasses import dataclass, field, replace

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array, bits_of
from ..checkpoint import CheckpointError
from .expected import WORKING, codes_name
from .finding import NOTE, Finding, Tally, value_text
from .plan import Plan
from .recomputed import Recomputed
from .why import why_codes

__all__ = ["Against", "compare_with_dense"]

_ELEMENTS = 1 << 22
Shape = tuple[int, ...]


@dataclass
class Against:
    """How a module came about, and what differs.

    Attributes:
        calibration: of scales and codes, in words.
        findings: what differs.
    """

    calibration: str = ""
    findings: list[Finding] = field(default_factory=list)


def compare_with_dense(plan: Plan, shape: Shape, whole: bool) -> Against:
    """Compare a module with what its dense weight gives.

    Args:
        plan: of the module, with the entry of its dense weight.
        shape: of the weight.
        whole: whether the tensors that are needed have their dtypes and shapes.
    """
    args, dense = plan.scheme.weights, plan.dense
    assert args is not None
    name = f"{plan.module}.weight"
    if dense is None:
        return Against(
            "", [Finding("dense-missing", f"{name} in the dense checkpoint", plan.module)]
        )
    if dense.dtype not in WORKING:
        expected = "a float weight in the dense checkpoint"
        return Against("", [Finding("dense-dtype", expected, plan.module, name, bits=dense.dtype)])
    if plan.format == "dense":
        note = Finding("not-compared", "codes", plan.module, bits="no codes", severity=NOTE)
        return Against("", [note])
    if not whole or len(shape) != 2 or 0 in shape:
        note = Finding(
            "not-compared", "tensors with their dtypes and shapes, 2-D", plan.module, severity=NOTE
        )
        return Against("", [note])
    try:
        return _Comparison(plan, args, shape).run()
    except CheckpointError:
        raise
    except (ValueError, TypeError) as error:
        expected = "tensors that the reference can read"
        note = Finding("not-compared", expected, plan.module, bits=str(error), severity=NOTE)
        return Against("", [note])


class _Comparison(Recomputed):
    """The steps of the comparison."""

    def __init__(self, plan: Plan, args: QuantizationArgs, shape: Shape) -> None:
        super().__init__(plan, args, shape)
        self.whole = self.optional("weight_global_scale")
        self.result = Against()

    def run(self) -> Against:
        """Compare the global scale, then scales and zero-points, then codes."""
        span = self.span()
        if not all(np.isfinite(bound.astype(np.float64)).all() for bound in span):
            expected = "a dense weight without NaN or infinities"
            self._found("dense-not-finite", expected, "weight")
            return self.result
        scale, zero_point = self.stored_qparams()
        used, given = self._global_scale(span, scale)
        made, made_zp = self.minmax(span, used)
        stale = bits_of(self.as_stored(made)) != bits_of(self.stored("weight_scale", made.shape))
        if zero_point is not None:
            stale_zp = bits_of(made_zp) != bits_of(zero_point)
        else:
            stale_zp = np.zeros(made.shape, bool)
        self._codes(scale, zero_point, used, (made, made_zp), stale | stale_zp)
        self._qparams(made, made_zp, zero_point, stale, stale_zp, given)
        return self.result

    def _codes(
        self,
        scale: Array,
        zero_point: Array | None,
        used: Array | None,
        made: tuple[Array, Array],
        differ: Array,
    ) -> None:
        """The codes against those of the stored qparams, and of the recomputed ones."""
        tally, whys = Tally(), list[str]()
        bad_given = np.zeros(differ.shape, bool)
        bad_made = np.zeros(differ.shape, bool)
        self.blamed = np.zeros(differ.shape, bool)
        self.differing_codes: list[tuple[int, Array, Array, Array]] = []
        for start, stop in self.pieces():
            weight = self.weight(start, stop)
            stored = self.stored_codes(start, stop)
            expected, wrong = self.quantized(weight, scale, zero_point, used, start, stop, stored)
            if not wrong.any():
                tally.total += wrong.size
                continue
            unit = self.units(start, stop)
            touched = np.zeros(differ.size, bool)
            touched[unit[wrong]] = True
            bad_given |= touched.reshape(differ.shape)
            keep = wrong
            if (differ & touched.reshape(differ.shape)).any():
                _, other = self.quantized(weight, *made, used, start, stop, stored)
                touched_made = np.zeros(differ.size, bool)
                touched_made[unit[other]] = True
                bad_made |= touched_made.reshape(differ.shape)
                stale = (differ & touched.reshape(differ.shape) & ~bad_made).reshape(-1)
                self.blamed |= stale.reshape(differ.shape)
                keep = wrong & ~stale[unit]
            tally.add(keep, self.shown(stored), self.shown(expected), start)
            if keep.any():
                whys.append(why_codes(stored, expected, self.args.num_bits))
        self.consistent = ~bad_given
        if tally.count:
            hint = whys[0] if len(set(whys)) == 1 else ""
            self._found("code-differs", tally.expected, codes_name(self.plan.format), tally, hint)

    def _qparams(
        self,
        made: Array,
        made_zp: Array,
        zero_point: Array | None,
        stale: Array,
        stale_zp: Array,
        given: bool,
    ) -> None:
        """Whether scales and zero-points are min/max, given otherwise, or wrong."""
        observer = self.args.observer or ""
        ordinary = not observer or observer.endswith("minmax")
        either = stale | stale_zp
        mostly = int((~either).sum()) * 2 > either.size and ordinary
        stored = self.stored("weight_scale", made.shape)
        pairs = [("scale-differs", "weight_scale", stale, stored, self.as_stored(made))]
        if zero_point is not None:
            pairs.append(("zero-point-differs", "weight_zero_point", stale_zp, zero_point, made_zp))
        as_given = False
        for id_, local, differ, ours, theirs in pairs:
            wrong = differ if mostly else differ & self.blamed
            as_given = as_given or bool((differ & ~wrong).any())
            if wrong.any():
                tally = Tally()
                tally.add(wrong, ours, theirs, 0)
                hint = "" if self.consistent[wrong].any() else "the codes are those of the expected"
                self._found(id_, tally.expected, local, tally, hint)
        codes_differ = any(f.id == "code-differs" for f in self.result.findings)
        words = "scales as given" if as_given else "min/max"
        if given:
            words += ", global scale as given"
        words += ", codes differ" if codes_differ else ", codes recomputed alike"
        if "float32" in self.rules:
            words += ", in float32"
            note = "codes rounded in the weight's dtype"
            self._found("computed-in-float32", note, codes_name(self.plan.format), severity=NOTE)
        if as_given:
            note = "scales by min/max of the dense weight; they are taken as given"
            self._found("not-minmax", note, "weight_scale", severity=NOTE)
        self.result.calibration = words

    def _global_scale(self, span: tuple[Array, Array], scale: Array) -> tuple[Array | None, bool]:
        """The global scale that the codes were made with, and whether it is not by min/max."""
        if self.whole is None or self.args.strategy != "tensor_group":
            return None, False
        whole = np.atleast_1d(self.whole)
        made = reference.generate_gparam(*span)
        if bits_of(made).item() == bits_of(whole).item():
            return whole, False
        stored = self.stored("weight_scale", scale.shape)
        agreement = []
        for candidate in (whole, made):
            with np.errstate(all="ignore"):
                local, _ = self.minmax(span, candidate)
            agreement.append(float((bits_of(self.as_stored(local)) == bits_of(stored)).mean()))
        if agreement[1] > agreement[0]:
            tally = Tally(1, 1, (0,), value_text(whole[0]), value_text(made[0]))
            inverse = bits_of(np.float32(1) / made).item() == bits_of(whole).item()
            near = abs(float(whole[0]) * float(made[0]) - 1) < 1e-3
            hint = "its inverse" if inverse or near else "the scales are those of the expected"
            self._found("global-scale-differs", tally.expected, "weight_global_scale", tally, hint)
            return made, False
        note = "2688 / the largest weight; it is taken as given"
        self._found("global-scale-given", note, "weight_global_scale", severity=NOTE)
        return whole, True

    def _found(
        self,
        id_: str,
        expected: str,
        local: str,
        tally: Tally | None = None,
        hint: str = "",
        severity: str | None = None,
    ) -> None:
        finding = Finding(id_, expected, self.plan.module, f"{self.plan.module}.{local}", hint=hint)
        if tally is not None:
            finding = replace(
                finding,
                position=tally.first,
                bits=tally.bits,
                count=tally.count,
                total=tally.total,
            )
        self.result.findings.append(
            finding if severity is None else replace(finding, severity=severity)
        )
