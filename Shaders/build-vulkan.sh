#!/usr/bin/env bash
# Compiles Shaders/glsl/*.comp to SPIR-V with glslc, packs it with brotli under Shaders/compiled/vulkan and writes the manifest of source hashes.
#   build-vulkan.sh            compile, pack, write the manifest
#   build-vulkan.sh --check    compile and compare with what is committed, where glslc is the version that made it; with spirv-val validate
# A shader names its variants in a line "// variants: ..."; each is compiled with its name in capitals defined (each part of a name with a point), besides the
# shader as it is. What a line "// needs: EXTENSION" says, only newer compilers know: GLSLC_NEWER names one (Debian trixie's glslc does), and without it what is
# committed of such shaders stays, as long as no source has changed. Emulated variants need none; with "for VARIANT" behind, those that end so need it alone.
set -euo pipefail
cd "$(dirname "$0")"
glslc=${GLSLC:-glslc}
newer=${GLSLC_NEWER:-}
out=compiled/vulkan
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
version=$("$glslc" --version | tr '\n' ' ')
left=()
for source in glsl/*.comp; do
  name=$(basename "$source" .comp)
  for variant in "" $(sed -n 's|^// variants: ||p' "$source" | head -1); do
    compiler=$glslc spv=$name${variant:+.$variant}.spv defines=$(tr . '\n' <<< "${variant^^}" | sed '/./s/^/-D/')
    needs=$(sed -n 's|^// needs: ||p' "$source")
    if [[ -n $needs && $variant != *emulated && ($needs != *" for "* || $variant == *"${needs##* for }") ]]; then
      compiler=$newer
      if [ -z "$newer" ]; then left+=("$spv"); continue; fi
    fi
    "$compiler" --target-env=vulkan1.2 -O -Werror $defines -o "$made/$spv" "$source"
  done
done
if command -v "${SPIRV_VAL:-spirv-val}" > /dev/null; then
  for spv in "$made"/*.spv; do "${SPIRV_VAL:-spirv-val}" --target-env vulkan1.2 "$spv"; done
else
  echo "build-vulkan: no spirv-val; nothing was validated"
fi

if [ "${1:-}" = "--check" ]; then
  if [ "$version" != "$(cat "$out/glslc.txt")" ]; then
    echo "build-vulkan: another glslc made what is committed; it compiles here, and was not compared ($(cat "$out/glslc.txt"))"
    exit 0
  fi
  if [ ${#left[@]} -gt 0 ]; then echo "build-vulkan: not compared, as it takes a newer glslc (GLSLC_NEWER): ${left[*]}"; fi
  failed=0
  for spv in "$made"/*.spv; do
    name=$(basename "$spv")
    if ! brotli -dc "$out/$name.br" 2> /dev/null | cmp -s - "$spv"; then echo "build-vulkan: $out/$name.br is not what its source compiles to; run Shaders/build-vulkan.sh" >&2; failed=1; fi
  done
  exit $failed
fi

if [ ${#left[@]} -gt 0 ]; then
  for source in $(grep -l '^// needs: ' glsl/*.comp) glsl/*.glsl; do
    if ! (cd glsl && sha256sum "$(basename "$source")") | grep -qxFf - "$out/manifest.sha256"; then
      echo "build-vulkan: $source has changed, and ${left[*]} takes a newer glslc; name one in GLSLC_NEWER" >&2
      exit 1
    fi
  done
  for spv in "${left[@]}"; do brotli -dc "$out/$spv.br" > "$made/$spv"; done
fi
source pack.sh
pack "$made" "$out"
echo -n "$version" > "$out/glslc.txt"
(cd glsl && sha256sum -- *.comp *.glsl) > "$out/manifest.sha256"
du -sh "$out"
