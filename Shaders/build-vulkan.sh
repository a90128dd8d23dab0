#!/usr/bin/env bash
# Compiles Shaders/glsl/*.comp to SPIR-V with glslc, packs it under Shaders/compiled/vulkan and writes the manifest of source hashes.
#   build-vulkan.sh            compile, pack, write the manifest
#   build-vulkan.sh --check    compile and compare with what is committed, where glslc is the version that made it; with spirv-val validate
# A shader names its variants in a line "// variants: ..."; each is compiled with its name in capitals defined, besides the shader as it is.
set -euo pipefail
cd "$(dirname "$0")"
glslc=${GLSLC:-glslc}
out=compiled/vulkan
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
version=$("$glslc" --version | tr '\n' ' ')

for source in glsl/*.comp; do
  name=$(basename "$source" .comp)
  for variant in "" $(sed -n 's|^// variants: ||p' "$source" | head -1); do
    "$glslc" --target-env=vulkan1.2 -O -Werror ${variant:+-D${variant^^}} -o "$made/$name${variant:+.$variant}.spv" "$source"
  done
done
if command -v spirv-val > /dev/null; then
  for spv in "$made"/*.spv; do spirv-val --target-env vulkan1.2 "$spv"; done
else
  echo "build-vulkan: no spirv-val; nothing was validated"
fi

if [ "${1:-}" = "--check" ]; then
  if [ "$version" != "$(cat "$out/glslc.txt")" ]; then
    echo "build-vulkan: another glslc made what is committed; it compiles here, and was not compared ($(cat "$out/glslc.txt"))"
    exit 0
  fi
  failed=0
  for spv in "$made"/*.spv; do
    name=$(basename "$spv")
    if ! gzip -dc "$out/$name.gz" 2> /dev/null | cmp -s - "$spv"; then echo "build-vulkan: $out/$name.gz is not what its source compiles to; run Shaders/build-vulkan.sh" >&2; failed=1; fi
  done
  exit $failed
fi

rm -rf "$out"
mkdir -p "$out"
for spv in "$made"/*.spv; do gzip -9nc "$spv" > "$out/$(basename "$spv").gz"; done
echo -n "$version" > "$out/glslc.txt"
(cd glsl && sha256sum -- *.comp *.glsl) > "$out/manifest.sha256"
du -sh "$out"
