#!/usr/bin/env bash
# The CUDA rows of docs/parity.md: compressed-tensors and torchao against the reference, on a GPU,
# as eager bfloat16 arithmetic has it and with one rounding. JSON reports go to the folder given.
#   benchmarks/parity_cuda.sh OUT
set -uo pipefail
out=${1:?the folder for the reports}
python=${PYTHON:-python3}
mkdir -p "$out"

judge() { # NAME BACKEND [OPTION]...
    local name=$1 backend=$2
    shift 2
    "$python" -m qparity.conformance verify "$backend" --level quick --jobs "${JOBS:-12}" \
        --json "$out/$name.json" "$@" > "$out/$name.txt" 2>&1
    echo "$name: exit $?, ${SECONDS}s: $(grep -E '^(EQUAL|DIFFERENT|NOTHING)' "$out/$name.txt")"
    gzip -9 -f "$out/$name.json"
    tail -c 4000 "$out/$name.txt" >> "$out/log" && rm -f "$out/$name.txt"
}

judge compressed_tensors-cuda compressed_tensors:cuda
judge compressed_tensors-cuda-float32 compressed_tensors:cuda \
    --op quantize --op fake_quantize --compute-dtype float32
judge torchao-cuda torchao:cuda
judge torchao-cuda-float32 torchao:cuda --op quantize --compute-dtype float32
CT_ENFORCE_EAGER=1 judge compressed_tensors-cuda-eager compressed_tensors:cuda
