#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the node tests, in a cluster of their own. Arguments go to the test
# program: a test's name, --nocapture. Needs root on Linux; elsewhere it says what it leaves out, and
# is content.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [[ $(uname) != Linux || $(id -u) != 0 ]]; then
  why="they need root on Linux"
  echo "NOT RUN: node tests ($why): the image, installs by Helm and processes that hold what they were given"
  echo "NOT RUN: node tests ($why): planned changes and faults under a stream of creations, permissions, uninstalling"
  exit 0
fi
echo "NOT RUN: NetworkPolicies: the network of the test cluster's node enforces none"
"$here/../argocd/build.sh"
exec "$here/on_node.sh" node an_api_server "$@"
