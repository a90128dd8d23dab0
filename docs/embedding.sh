#!/usr/bin/env bash
# Measures what docs/embedding.md tells in numbers, and writes its tables: between the lines "<!-- printed by docs/embedding.sh -->" and "<!-- to here -->".
#
#   docs/embedding.sh [options]
#
#   -n FRAMES    frames of each histogram; 10000 when not given
#   -m FILE      the large model; made (mambart bench --make mamba-1.4b --type Q8_0) in a temporary folder when not given
#   -o FILE      another page than docs/embedding.md
#
# MAMBART names the executable, MAMBART_LIBRARY the folder of libmambart.so; those of this clone when not given (./build.sh publish, and
# dotnet publish CApi -c Release -r linux-x64 -o artifacts/capi). Needs awk and gcc besides. As a process of real time where this user may start one, so that
# what else the machine does disturbs little; about five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
mambart="${MAMBART:-artifacts/publish/linux-x64/mambart}"
library="$(realpath -m "${MAMBART_LIBRARY:-artifacts/capi}")"
bundled="$(ls Cli/Models/*.gguf)"
frames=10000 large="" page=docs/embedding.md

fail() { echo "embedding.sh: $1" >&2; exit 2; }
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

while getopts "n:m:o:h" option; do
  case "$option" in
    n) frames="$OPTARG" ;;
    m) large="$OPTARG" ;;
    o) page="$OPTARG" ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -x "$mambart" ] || fail "there is no executable '$mambart'; run ./build.sh publish, or name one in MAMBART."
[ -e "$library/libmambart.so" ] || fail "there is no '$library/libmambart.so'; publish CApi, or name its folder in MAMBART_LIBRARY."
[ "$(grep -c -e '^<!-- printed by docs/embedding.sh -->$' -e '^<!-- to here -->$' "$page")" = 2 ] || fail "'$page' does not have the two lines that its tables stand between."
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
gcc -std=c99 -O2 -ICApi docs/samples/frames.c -o "$scratch/frames" -L"$library" -lmambart -Wl,-rpath,"$library"
if [ -z "$large" ]; then
  large="$scratch/mamba-1.4b.gguf"
  "$mambart" bench --make mamba-1.4b --type Q8_0 -o "$large"
fi
alone=(chrt -f 10) how="as a process of real time (\`chrt -f 10\`)"
"${alone[@]}" true 2> /dev/null || { alone=(); how="as any other process"; }

histogram() { "${alone[@]}" "$scratch/frames" "$1" "$2" 2000 "$frames" > "$scratch/$3" || true; cat "$scratch/$3" >&2; }   # one that is late stands in the table
"${alone[@]}" "$mambart" bench --host -m "$bundled" -t 1 --budget 3 --frames "$frames" > "$scratch/host"
histogram "$bundled" session 1
histogram "$bundled" host 2
histogram "$large" session 3
histogram "$large" host 4

# The processor time's column of the four.
joined() {
  echo "| processor time of a frame of 2 ms | bundled, sessions | bundled, a host | 1.4b, sessions | 1.4b, a host |"
  echo "|---|---:|---:|---:|---:|"
  awk '
    FNR == 1 { file++ }
    / % +[0-9]+ +[0-9.]+ %$/ { name = substr($0, 1, 28); sub(/ +$/, "", name); if (file == 1) order[++rows] = name; count[name, file] = $(NF - 2) }
    /^processor time: median/ { gsub(/,/, ""); for (i = 1; i < NF; i++) { if ($i == "median") half[file] = $(i + 1); if ($i == "99" && $(i + 1) == "%") most[file] = $(i + 2); if ($i == "most") longest[file] = $(i + 1) } }
    function line(name, values,   i, text) { text = "| " name; for (i = 1; i <= 4; i++) text = text sprintf(" | %.2f ms", values[i] / 1000); print text " |" }
    END {
      for (r = 1; r <= rows; r++) print "| " order[r] " | " count[order[r], 1] " | " count[order[r], 2] " | " count[order[r], 3] " | " count[order[r], 4] " |"
      line("median", half); line("99 of 100 within", most); line("the longest", longest)
    }' "$scratch/1" "$scratch/2" "$scratch/3" "$scratch/4"
}
{
  echo
  echo "Run $how, one thread; the load was $(cut -d ' ' -f 1 /proc/loadavg) on $(nproc) cores at the end, this among it."
  echo
  cat "$scratch/host"
  echo
  echo "The same from C ([docs/samples/frames.c](samples/frames.c)), by the caller's processor time; 1.4b is mamba-1.4b Q8_0 as \`mambart bench --make\` makes it:"
  echo
  joined
  echo
} > "$scratch/tables"
awk -v tables="$scratch/tables" '
  /^<!-- to here -->$/ { inside = 0 }
  !inside { print }
  /^<!-- printed by docs\/embedding.sh -->$/ { inside = 1; while ((getline line < tables) > 0) print line }' "$page" > "$scratch/page"
cat "$scratch/page" > "$page"
