#!/usr/bin/env bash
# fuzz.sh BUILD SECONDS: runs every fuzz target for so long, two at a time, from its corpus.
# New inputs go to a scratch folder; a finding is printed with its input in base64.
set -u
build=$1 seconds=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fuzz_one() {
  local target=$1 name
  name=$(basename "$target")
  mkdir -p "$scratch/$name/new" "$scratch/$name/found"
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$scratch/$name/found/" "$scratch/$name/new" "tests/fuzz/corpus/$name" \
      >"$scratch/$name/log" 2>&1; then
    printf '%s: %s runs, no finding\n' "$name" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$name/log")"
  else
    tail -40 "$scratch/$name/log"
    for input in "$scratch/$name/found"/*; do
      [ -f "$input" ] && printf '%s: finding, base64: %s\n' "$name" "$(base64 -w0 <"$input" | head -c 4000)"
    done
    return 1
  fi
}
export -f fuzz_one
export scratch seconds

find "$build/fuzz" -maxdepth 1 -type f -executable | sort >"$scratch/targets"
[ -s "$scratch/targets" ] || { echo "no fuzz targets in $build/fuzz"; exit 1; }
xargs -a "$scratch/targets" -P "$(nproc)" -I{} bash -c 'fuzz_one {}'
