#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the tests of pods in step, in a cluster of their own. Arguments go to the
# test program: a test's name, --nocapture. Needs root on Linux; elsewhere it says what it leaves out,
# and is content.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [[ $(uname) != Linux || $(id -u) != 0 ]]; then
  why="they need root on Linux"
  echo "NOT RUN: pods in step ($why): missed, outdated and stale pods replaced on a real node, once each"
  echo "NOT RUN: pods in step ($why): budgets, quotas, manifests applied in a loop, killed controllers, a hundred pods"
  exit 0
fi
exec "$here/../node/on_node.sh" pods alone_the_api_server "$@"
