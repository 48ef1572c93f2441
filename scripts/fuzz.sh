#!/usr/bin/env bash
# fuzz.sh BUILD SECONDS: runs every fuzz target for so long, two at a time, from its corpus.
# New inputs go to a scratch folder; a finding is printed with its input in base64. An input that took
# too long while the machine stood still, and is quick when it is tried again, is none: its target
# starts over.
set -u
# Giving memory back to the kernel after every few inputs takes a quarter of the time.
export ASAN_OPTIONS=allocator_release_to_os_interval_ms=-1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
build=$1 seconds=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Only time-outs were found, and none of them repeats.
was_machine() {
  local target=$1 found=$2 input
  for input in "$found"/*; do
    [[ -f $input && ${input##*/} == timeout-* ]] || return 1
    "$target" -timeout=10 "$input" >/dev/null 2>&1 || return 1
  done
}

fuzz_once() {
  local target=$1 place=$2
  mkdir -p "$place/new" "$place/found"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$place/found/" "$place/new" "tests/fuzz/corpus/$(basename "$target")" >"$place/log" 2>&1
}

fuzz_one() {
  local target=$1 name place try
  name=$(basename "$target")
  for try in 1 2 3; do
    place=$scratch/$name/$try
    if fuzz_once "$target" "$place"; then
      printf '%s: %s runs, no finding\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$place/log")"
      return 0
    fi
    was_machine "$target" "$place/found" || break
    printf '%s: a time-out that does not repeat; once more\n' "$name"
  done
  tail -40 "$place/log"
  for input in "$place/found"/*; do
    [ -f "$input" ] && printf '%s: finding, base64: %s\n' "$name" "$(base64 -w0 <"$input" | head -c 4000)"
  done
  return 1
}
export -f fuzz_one fuzz_once was_machine
export scratch seconds

find "$build/fuzz" -maxdepth 1 -type f -executable | sort >"$scratch/targets"
[ -s "$scratch/targets" ] || { echo "no fuzz targets in $build/fuzz"; exit 1; }
xargs -a "$scratch/targets" -P "$(nproc)" -I{} bash -c 'fuzz_one {}'
