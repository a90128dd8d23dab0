#!/usr/bin/env bash
# Builds libcuda.so.1 for a machine without a GPU: a driver whose device is this processor (emulation/driver.cpp), with every kernel of cuda/ compiled for it.
#   build-emulation.sh FOLDER      then: LD_LIBRARY_PATH=FOLDER dotnet test ..., and the cuda backend is tested like any other, slowly
# It shows that kernels, launch lists and the driver layer are right; not that PTX is, nor speed. Needs clang++-19 (or CXX), and pthreads.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder="$(cd "$1" && pwd)"
cd "$(dirname "$0")"
cxx=${CXX:-clang++-19}
options=(-O2 -std=c++17 -fPIC -march=x86-64-v3 -ffp-contract=off -Wall -Wno-parentheses -Wno-unknown-pragmas -Iemulation -Icuda)
objects=()
for source in emulation/driver.cpp emulation/fibers.cpp cuda/*.cu; do
  object="$folder/$(basename "${source%.*}").o"
  "$cxx" "${options[@]}" -DEMULATED -x c++ -c "$source" -o "$object" &
  objects+=("$object")
  if [ $((${#objects[@]} % 2)) -eq 0 ]; then wait; fi
done
wait
"$cxx" -shared -Wl,-soname,libcuda.so.1 -o "$folder/libcuda.so.1" "${objects[@]}" -lpthread -ldl
rm -f "${objects[@]}"
