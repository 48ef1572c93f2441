#!/usr/bin/env bash
# bench.sh BUILD: one pass of every benchmark in tests/bench; each prints `name ours peer ratio bound ok|short`.
set -u
build=$1 failed=0
shopt -s nullglob
for bench in "$build"/bench/*; do
  "$bench" || failed=1
done
exit $failed
