# Sourced by tools/run and tools/test: finds what the machine lacks, installs it, builds the page.
# shellcheck shell=bash

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND…: as root, or by sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else
    echo "error: root is needed, and there is no sudo: $*" >&2
    return 1
  fi
}

# install_packages PACKAGE…: with apt, asking nothing. Fails where there is no apt.
install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "error: this is not Debian; install these by hand: $*" >&2
    return 1
  fi
  say "Installing $*"
  [ -n "${apt_updated:-}" ] || as_root apt-get update -qq || return 1
  apt_updated=1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# missing COMMAND=PACKAGE…: the packages whose command is not there.
missing() {
  local pair
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || printf '%s\n' "${pair#*=}"
  done
}

# need COMMAND=PACKAGE…: installs the packages whose command is not there.
need() {
  local packages
  mapfile -t packages < <(missing "$@" | sort -u)
  [ "${#packages[@]}" -eq 0 ] || install_packages "${packages[@]}"
}

# need_build: what compiling takes. The C compiler and cmake are for libopus, SQLite and AWS-LC.
need_build() {
  [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
  command -v cargo >/dev/null || die "Rust is missing: install the stable toolchain with rustup, then run this again"
  need cc=gcc g++=g++ make=make cmake=cmake
}

# build_web: the page into web/dist, if its sources changed.
build_web() {
  # Debian's npm comes in several hundred small packages; Node from elsewhere brings its own.
  need node=nodejs npm=npm
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 18 ] || die "Node $(node -v) is too old: 18 or newer is needed"
  npm_modules web
  if [ -f web/dist/index.html ] && [ -z "$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -newer web/dist/index.html -print -quit)" ]; then
    return
  fi
  say "Building the page"
  npm --prefix web run --silent build >&2
}

# npm_modules FOLDER: its node_modules exactly as its lock says.
npm_modules() {
  [ -f "$1/node_modules/.package-lock.json" ] && [ ! "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ] && return
  say "Fetching the packages of $1"
  npm --prefix "$1" ci --loglevel=error >&2
  touch "$1/node_modules/.package-lock.json"
}
