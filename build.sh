#!/usr/bin/env bash
# Thin verbs; each is one dotnet command that can be typed without this file. build.ps1 has the same verbs.
#   build | test | publish [rid] | pack | bench [options] | clean
set -euo pipefail
cd "$(dirname "$0")"
verb="${1:-build}"
[ $# -gt 0 ] && shift
case "$verb" in
  build)   exec dotnet build MambaRT.sln -c Release --tl:off ;;
  test)    exec dotnet test MambaRT.sln -c Release --tl:off "$@" ;;
  publish) exec dotnet publish Cli -c Release --tl:off -r "${1:-linux-x64}" -o "artifacts/publish/${1:-linux-x64}" ;;
  pack)    exec dotnet pack MambaRT.sln -c Release --tl:off -o artifacts/packages ;;
  bench)   exec dotnet run --project Cli -c Release -- bench "$@" ;;
  clean)   exec dotnet clean MambaRT.sln -c Release --tl:off ;;
  *)       echo "build.sh: '$verb' is not a verb; use build, test, publish [rid], pack, bench or clean." >&2; exit 2 ;;
esac
