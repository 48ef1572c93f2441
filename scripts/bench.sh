#!/usr/bin/env bash
# bench.sh BUILD: one pass of every benchmark in tests/bench. Each prints one line per figure,
# `name ours peer ratio bound ok|short`, and exits 1 when one is short.
set -u
failed=0
export MCGUARD_BIN=$PWD/$1/bin
shopt -s nullglob
for bench in tests/bench/*.py "$1"/bench/*; do
  echo "# $(basename "$bench")"
  "$bench" || failed=1
done
exit $failed
