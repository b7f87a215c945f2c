#!/usr/bin/env bash
# search.sh FOLDER: looks for the secret values of the tests in everything below FOLDER, and in the
# audit log TEST_AUDIT_LOG. They stand in the tests' settings and must stand nowhere else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
searched=("$1")
if [[ -n ${TEST_AUDIT_LOG:-} ]]; then
  searched+=("$TEST_AUDIT_LOG")
else
  echo "NOT RUN: secret values in the API server's audit log, which can't be read from here"
fi
if grep -rlFf "$here/secret-values" "${searched[@]}"; then
  echo "secret values: the files above hold some" >&2
  exit 1
fi
echo "secret values: none in $(find "${searched[@]}" -type f | wc -l) files, $(du -cb "${searched[@]}" | tail -n 1 | cut -f1) bytes"
