"""FP4 codes with E4M3 scales and no global scale, for a picture of what that does."""

from qparity.reference import QuantizationArgs

ARGS = QuantizationArgs(
    num_bits=4,
    type="float",
    group_size=16,
    scale_dtype="float8_e4m3fn",  # type: ignore[arg-type]
)
