#!/usr/bin/env bash
# Replaces the bundled model: everything in this clone that depends on its weights, from one folder.
#
#   docs/bundled-model.sh DIR      DIR: config.json, model.safetensors, tokenizer files, golden/golden.json and golden/golden.safetensors,
#                                  and beside or in it val_slice.txt. The folder's name becomes the model's.
#   docs/bundled-model.sh          the README's transcripts and the card's numbers anew, with the model that is there
#
# It writes Cli/Models/NAME-q8_0.gguf (and its name in Cli/DefaultModel.cs), Tests/Data/story, the blocks of README.md below a line
# "<!-- printed by docs/bundled-model.sh -->", and the lines "Quality" and "File" of the card. What stays by hand: the card's words on sources and
# weaknesses, docs/quantization.sh for the ladder, and the bounds in StoryModelTests where the tests ask for them.
#
# MAMBART names the executable; the published one of this clone when not given (./build.sh publish). Needs awk, gzip and sed besides.
set -euo pipefail
cd "$(dirname "$0")/.."
mambart="$(realpath "${MAMBART:-artifacts/publish/linux-x64/mambart}")"
marker='<!-- printed by docs/bundled-model.sh -->'

fail() { echo "bundled-model.sh: $1" >&2; exit 2; }
[ -x "$mambart" ] || fail "there is no executable '$mambart'; run ./build.sh publish, or name one in MAMBART."
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

replace() { # folder
  local dir="${1%/}" name text
  name="$(basename "$dir")"
  text="$dir/val_slice.txt"
  [ -f "$text" ] || text="$(dirname "$dir")/val_slice.txt"
  [ -f "$text" ] || fail "there is no val_slice.txt in or beside '$dir'."
  "$mambart" convert "$dir" -o "$scratch/model.gguf" --type Q8_0 --name "$name"
  rm -f Cli/Models/*.gguf
  cp "$scratch/model.gguf" "Cli/Models/$name-q8_0.gguf"
  sed -i "s/FileName = \".*\"/FileName = \"$name-q8_0.gguf\"/" Cli/DefaultModel.cs
  cat "$dir/golden/golden.json" > Tests/Data/story/golden.json
  cat "$dir/golden/golden.safetensors" > Tests/Data/story/golden.safetensors
  gzip -9nc "$text" > Tests/Data/story/val_slice.txt.gz
}

[ $# -le 1 ] || fail "one folder, or none; see the head of this script."
[ $# -eq 0 ] || replace "$1"
model="$(ls "$PWD"/Cli/Models/*.gguf)"

# Runs a line of the README, whose model is the bundled one.
mkdir "$scratch/bin"
printf '#!/usr/bin/env bash\nverb=$1; shift\nexec "%s" "$verb" -m "%s" "$@"\n' "$mambart" "$model" > "$scratch/bin/mambart"
chmod +x "$scratch/bin/mambart"
printed() { (cd "$scratch" && PATH="$scratch/bin:$PATH" bash -c "$1" < /dev/null 2> "$scratch/error.txt") || { cat "$scratch/error.txt" >&2; fail "this failed: $1"; }; }

marked=no inside=no
while IFS= read -r line || [ -n "$line" ]; do
  if [ $inside = no ]; then
    printf '%s\n' "$line"
    if [ "$line" = "$marker" ]; then marked=yes
    elif [ $marked = yes ] && [[ "$line" == '```'* ]]; then marked=no inside=yes; fi
  elif [ "$line" = '```' ]; then inside=no; printf '%s\n' "$line"
  elif [[ "$line" == '$ '* ]]; then printf '%s\n' "$line"; printf '%s\n' "$(printed "${line#\$ }")"
  fi
done < README.md > "$scratch/README.md"
cat "$scratch/README.md" > README.md

gunzip -c Tests/Data/story/val_slice.txt.gz > "$scratch/val_slice.txt"
perplexity="$("$mambart" perplexity -m "$model" -f "$scratch/val_slice.txt" -c 1024 --json)"
number() { sed -E "s/.*\"$1\":([0-9.eE+-]+).*/\1/" <<< "$perplexity"; }
original="$(grep -m 1 '"ppl"' Tests/Data/story/golden.json | sed -E 's/[^0-9.]//g')"
awk -v file="$(basename "$model")" -v size="$(stat -c %s "$model")" -v now="$(number perplexity)" -v before="$original" -v scored="$(number scored)" '
  /^\| File \|/ { printf "| File | `%s`, %.1f MB |\n", file, size / 1e6; next }
  /^\| Quality \|/ { printf "| Quality | perplexity %.3f over %d tokens of held-out text, in windows of 1,024 (%.3f before quantization) |\n", now, scored, before; next }
  { print }' Cli/Models/README.md > "$scratch/card.md"
cat "$scratch/card.md" > Cli/Models/README.md
grep -E '^\| (File|Quality) \|' Cli/Models/README.md
