#!/usr/bin/env bash
# Makes docs/quantization.md: what each quantized type costs in quality, and what it saves.
#
#   docs/quantization.sh [options] MODEL...      MODEL: an F16 .gguf file, or a folder of safetensors (converted to F16 first)
#
#   -f TEXT      the text that is scored; the last three quarters of Tests/Data/story/val_slice.txt.gz when not given
#   -i TEXT      the text that importance is measured over; the first quarter of the same file when not given
#   -n TOKENS    only so many tokens of the text
#   -c TOKENS    tokens in a window; 1024 when not given
#   -w FOLDER    keep the quantized files there; a temporary folder when not given
#   -o FILE      another page than docs/quantization.md
#
# MAMBART names the executable; the published one of this clone when not given (./build.sh publish). Needs awk and gunzip besides.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
rungs=(Q8_0 Q6_K Q5_K_M Q4_K_M IQ4_XS Q4_0 Q3_K_M Q2_K)
mambart="${MAMBART:-$here/../artifacts/publish/linux-x64/mambart}"
text="" calibration="" limit=() window=1024 work="" page="$here/quantization.md"

fail() { echo "quantization.sh: $1" >&2; exit 2; }
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

while getopts "f:i:n:c:w:o:h" option; do
  case "$option" in
    f) text="$OPTARG" ;;
    i) calibration="$OPTARG" ;;
    n) limit=(--limit "$OPTARG") ;;
    c) window="$OPTARG" ;;
    w) work="$OPTARG" ;;
    o) page="$OPTARG" ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || fail "there is no model; give F16 .gguf files or folders of safetensors. See $0 -h."
[ -x "$mambart" ] || fail "there is no executable '$mambart'; run ./build.sh publish, or name one in MAMBART."

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
[ -n "$work" ] || work="$scratch"
mkdir -p "$work"

# Importance is measured over another part of the text than the one that is scored.
slice="$here/../Tests/Data/story/val_slice.txt.gz"
if [ -z "$text" ] || [ -z "$calibration" ]; then
  gunzip -c "$slice" > "$scratch/slice.txt"
  lines=$(($(wc -l < "$scratch/slice.txt") / 4))
  head -n "$lines" "$scratch/slice.txt" > "$scratch/calibration.txt"
  tail -n "+$((lines + 1))" "$scratch/slice.txt" > "$scratch/val_slice-tail.txt"
  [ -n "$text" ] || text="$scratch/val_slice-tail.txt"
  [ -n "$calibration" ] || calibration="$scratch/calibration.txt"
fi

# Quantizes a model to every rung and compares the results with it; writes the tables and leaves the numbers in $1.json.
ladder() {
  local folder="$1" base="$2" files=() rung policy file
  "$mambart" imatrix -m "$base" -f "$calibration" -o "$folder/imatrix.gguf"
  for rung in "${rungs[@]}"; do
    for policy in llama ssm; do
      file="$folder/$rung-$policy.gguf"
      "$mambart" quantize "$base" "$file" "$rung" --policy "$policy"
      files+=("$file")
      [ "$rung" != Q8_0 ] || continue   # its scales are not searched: importance changes nothing
      file="$folder/$rung-$policy-imatrix.gguf"
      "$mambart" quantize "$base" "$file" "$rung" --policy "$policy" --imatrix "$folder/imatrix.gguf"
      files+=("$file")
    done
  done
  "$mambart" compare "$base" "${files[@]}" -f "$text" -c "$window" ${limit[@]+"${limit[@]}"} --speed --json --md "$folder/tables.md" --html "$folder/plot.html" > "$folder/ladder.json"
  cat "$folder/tables.md"
}

# One row a rung: the divergence of policy ssm against that of llama's frontier at the same size, in proportion between its rungs (logarithms).
# The frontier is made of those llama files that no smaller one beats; both with importance and without.
frontier() {
  awk 'BEGIN { RS = "{" }
    function field(name) { return match($0, "\"" name "\":[^,}]*") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : "" }
    function add(w) { size[w, ++count[w]] = field("bytes") + 0; loss[w, count[w]] = field("kl_mean") + 0 }
    /"kl_mean"/ {
      name = field("name"); gsub(/"|\.gguf/, "", name)
      importance = name ~ /-imatrix$/ ? "yes" : "no"; plain = name; sub(/-imatrix$/, "", plain)
      policy = plain; sub(/.*-/, "", policy); rung = plain; sub(/-[a-z]*$/, "", rung)
      if (policy == "llama") { add(importance); if (rung == "Q8_0") add("yes") }   # the end of both frontiers
      else if (rung != "Q8_0") { rows++; of[rows] = rung; with[rows] = importance; bytes[rows] = field("bytes") + 0; kl[rows] = field("kl_mean") + 0 }
    }
    END {
      print "| rung | imatrix | ssm MiB | ssm KL | llama KL at that size | ratio |"; print "|---|---|---:|---:|---:|---:|"
      for (r = 1; r <= rows; r++) {
        w = with[r]; small = 0; large = 0
        for (i = 1; i <= count[w]; i++) {
          beaten = 0
          for (j = 1; j <= count[w]; j++) if (size[w, j] <= size[w, i] && loss[w, j] < loss[w, i]) beaten = 1
          if (beaten) continue
          if (size[w, i] <= bytes[r] && (!small || size[w, i] > size[w, small])) small = i
          if (size[w, i] >= bytes[r] && (!large || size[w, i] < size[w, large])) large = i
        }
        at = "-"; ratio = "-"
        if (small && large) {
          part = size[w, large] > size[w, small] ? (bytes[r] - size[w, small]) / (size[w, large] - size[w, small]) : 0
          value = exp(log(loss[w, small]) + part * (log(loss[w, large]) - log(loss[w, small])))
          at = sprintf("%.3g", value); ratio = sprintf("%.2f", kl[r] / value)
        }
        printf "| %s | %s | %.2f | %.3g | %s | %s |\n", of[r], w, bytes[r] / 1048576, kl[r], at, ratio
      }
    }' "$1"
}

{
  echo "# What quantization costs"
  echo
  echo "Made by \`docs/quantization.sh\` on $("$mambart" devices | head -n 1 | tr -s " ")."
  echo
  echo "Each model in F16 is the base. A file is named by its rung, who chose the type of each tensor (\`llama\`: as llama.cpp does; \`ssm\`:"
  echo "our recipe for state-space models) and \`imatrix\` where quantize was given the importance of the columns, measured over another text"
  echo "than the one scored. Losses are those of the cpu backend, which also rounds activations to 8 bits beside quantized weights."
  echo "The second table of a model tells the divergence of \`ssm\` against that of \`llama\` at the same file size: below 1.00 is better."
  echo "Q8_0 ignores importance. Errors are standard errors; speed is one sequence on all cores, of a machine that may have other work. A dash stands for a"
  echo "file that is smaller than every llama file here."
} > "$scratch/page.md"
for model in "$@"; do
  name="$(basename "${model%/}" .gguf)"
  mkdir -p "$work/$name"
  base="$model"
  if [ -d "$model" ]; then
    base="$work/$name/$name-f16.gguf"
    "$mambart" convert "$model" -o "$base" --type F16
  fi
  ladder "$work/$name" "$base" > "$scratch/tables.md"
  { echo; echo "## $name"; echo; cat "$scratch/tables.md"; echo; echo "The recipe against llama's frontier:"; echo; frontier "$work/$name/ladder.json"; } >> "$scratch/page.md"
done
mv "$scratch/page.md" "$page"
echo "Wrote $page." >&2
