# Sourced by ./up and ./check: installs what is missing and builds. Silent about what is already there.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# as_root COMMAND…: as root already, else by sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "'$*' needs root: run this as root or install sudo"; fi
}

# need PACKAGE…: installs those Debian packages that are not installed.
need() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing: ${missing[*]}"
  local log
  log=$(mktemp)
  # A machine with old package lists is asked to refresh them only when the install fails.
  install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
      install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1
  }
  if ! install; then
    as_root apt-get -o DPkg::Lock::Timeout=300 update -qq >>"$log" 2>&1 || true
    install || { tail -20 "$log" >&2; die "cannot install: ${missing[*]}; is this Debian 12 with its package mirror reachable?"; }
  fi
  rm -f "$log"
}

# The package is only wanted for a command that may come from elsewhere.
need_command() {
  command -v "$1" >/dev/null || need "$2"
}

need_build_tools() {
  command -v apt-get >/dev/null || die "this needs Debian 12 (apt-get is missing)"
  need_command g++ g++
  need_command cmake cmake
  need_command ninja ninja-build
  need_command git git
  # For the programs that count connections in the kernel.
  need_command clang clang
  [ -x /usr/sbin/bpftool ] || need_command bpftool bpftool
  need pkg-config ccache libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libssl-dev \
    libsqlite3-dev libyaml-cpp-dev libspdlog-dev libfmt-dev prometheus-cpp-dev libctemplate-dev \
    libcli11-dev libldns-dev libbpf-dev zlib1g-dev libgtest-dev libgmock-dev
  need memcached
}

# build PRESET [TARGET…]: configures once and builds; output only on failure, or a progress line on a terminal.
build() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if [ ! -f "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; die "cmake failed for $preset"; }
  fi
  local command=(cmake --build "build/$preset" -j "$(nproc)")
  [ $# = 0 ] || command+=(--target "$@")
  if [ -t 2 ]; then
    # ninja's own status line, redrawn in place.
    "${command[@]}" >&2 || die "the build failed ($preset)"
  else
    "${command[@]}" >"$log" 2>&1 || { grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | head -60 >&2; die "the build failed ($preset)"; }
  fi
  rm -f "$log"
}

