#!/usr/bin/env bash
# down.sh STATE: stops what up.sh started, by its pid files, and removes STATE.
set -euo pipefail
[[ $# == 1 ]] || { echo "usage: down.sh STATE" >&2; exit 2; }
[[ -d $1/pids ]] || exit 0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$1"
if [[ -e containerd.toml ]]; then
  # shellcheck source=tests/cluster/node.sh
  source "$here/node.sh"
  node_stop
fi
for file in pids/*; do
  [[ -e $file ]] || continue
  pid=$(cat "$file")
  # A process id is given out again: only what still runs under the component's name is ours.
  if [[ $(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1) == */"${file#pids/}" ]]; then
    # The API server would wait a minute for its watches on SIGTERM.
    kill -KILL "$pid" 2>/dev/null || true
    # Its files and ports are free only when it is gone. A process that nobody reaps is gone as well.
    for _ in {1..200}; do
      [[ $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null || echo Z) != Z ]] || break
      sleep 0.05
    done
  fi
done
state=$PWD
if [[ -e containerd.toml ]]; then node_clean; fi
cd /
rm -rf "$state"
