#!/usr/bin/env bash
# bench.sh BUILD: one pass of every benchmark in tests/bench. Each prints one line per figure,
# `name ours peer ratio bound ok|short`, and exits 1 when one is short. On a machine that does other
# things too a figure can be short by chance: only one that is short twice counts.
set -u
failed=0
export MCGUARD_BIN=$PWD/$1/bin
shopt -s nullglob
for bench in tests/bench/*.py "$1"/bench/*; do
  echo "# $(basename "$bench")"
  "$bench" || { echo "# once more"; "$bench"; } || failed=1
done
exit $failed
