#!/usr/bin/env bash
# Compiles Shaders/cuda/*.cu to PTX with clang-19 alone, without its comments, packs it with brotli under Shaders/compiled/cuda and writes the manifest of source hashes.
#   build-cuda.sh            compile, pack, write the manifest
#   build-cuda.sh --check    compile and compare with what is committed; with ptxas (PTXAS, or on PATH) assemble too, and fail on spills and on C75xx
# A file names the targets it is compiled for in a line "// targets: ..."; without one it is sm_75, which every newer device runs.
set -euo pipefail
cd "$(dirname "$0")"
clang=${CLANG:-clang-19}
out=compiled/cuda
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
declare -A features=([sm_75]=ptx63 [sm_80]=ptx75 [sm_90a]=ptx80)

targets_of() { local t; t=$(sed -n 's|^// targets: ||p' "$1" | head -1); echo "${t:-sm_75}"; }
for source in cuda/*.cu; do
  for target in $(targets_of "$source"); do
    mkdir -p "$made/$target"
    "$clang" -x cuda --cuda-device-only -nocudainc -nocudalib -O3 -std=c++17 -ffp-contract=fast -Wall -Werror -Wno-parentheses -Wno-pass-failed -S \
      --cuda-gpu-arch="$target" -Xclang -target-feature -Xclang "+${features[$target]}" "$source" -o - |
      sed -E 's|[ \t]*//.*$||; s/^[ \t]+//; /^$/d' > "$made/$target/$(basename "$source" .cu).ptx"
  done
done

if [ "${1:-}" = "--check" ]; then
  failed=0
  ptxas=${PTXAS:-$(command -v ptxas || true)}
  for ptx in "$made"/*/*.ptx; do
    name=${ptx#"$made"/}
    if ! brotli -dc "$out/$name.br" 2> /dev/null | cmp -s - "$ptx"; then echo "build-cuda: $out/$name.br is not what its source compiles to; run Shaders/build-cuda.sh" >&2; failed=1; fi
    [ -n "$ptxas" ] || continue
    sed -E -f sizes.sed "$ptx" > "$made/sized"
    said=$("$ptxas" -arch="$(dirname "$name")" -v "$made/sized" -o /dev/null 2>&1) || { echo "$said" >&2; failed=1; }
    if grep -E "C75|error" <<< "$said" >&2; then failed=1; fi
    if grep -E "bytes stack frame" <<< "$said" | grep -vE "(^| )0 bytes stack frame" >&2; then echo "build-cuda: $name keeps an array or spills in memory" >&2; failed=1; fi
  done
  [ -n "$ptxas" ] || echo "build-cuda: no ptxas; nothing was assembled"
  exit $failed
fi

source pack.sh
pack "$made" "$out"
(cd cuda && sha256sum -- *.cu *.h) > "$out/manifest.sha256"
du -sh "$out"
