# pack FOLDER TARGET: packs every file of FOLDER with brotli into TARGET, which holds nothing else afterwards. What has not changed stays, byte for byte.
pack() {
  local file packed
  mkdir -p "$2"
  (cd "$2" && find . -name '*.br') | while read -r packed; do [ -e "$1/${packed%.br}" ] || rm "$2/$packed"; done
  (cd "$1" && find . -type f) | while read -r file; do
    packed=$2/$file.br
    if brotli -dc "$packed" 2> /dev/null | cmp -s - "$1/$file"; then continue; fi
    mkdir -p "$(dirname "$packed")"
    brotli -q 11 -w 24 -fc "$1/$file" > "$packed"
  done
}
