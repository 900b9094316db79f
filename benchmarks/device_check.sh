#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds mneme with the LibTorch of python3, checks the golden cases on a device, and times ops and layers on it.
#
#   benchmarks/device_check.sh [cpu|cuda|cuda:N] [--short] [--out FOLDER] [--programs FOLDER]
#   benchmarks/device_check.sh --pack
#
# --short      small shapes and few runs, to test that everything works
# --out        folder for device_check.md, device_check.json and the intermediate files; default build/device/results
# --programs   does not build, but uses mneme-nn and device_benchmark of this folder, which were built on another machine
#              with the same version of LibTorch (a check there leaves them in build/device/bin)
# --pack       writes build/device_packages.tar.xz: the packages that mneme needs for building, for a machine without them
#
# Environment
#   PYTHON                 interpreter with torch; default python3
#   DEVICE_CHECK_SECONDS   total time limit; default 570 on cuda, 7200 on cpu. Every part has a fraction of it. Results
#                          obtained before the limit are kept
#   MNEME_JOBS             number of parallel compilers; default one per CPU
#   CMAKE_PREFIX_PATH      folders that are searched for packages first
#
# For a machine that is available for a few minutes only and has neither a network nor the packages: run --pack on a
# machine with the packages, copy this folder and build/device_packages.tar.xz to the other machine, and run there
#
#   benchmarks/device_check.sh cuda --out "$OUT"
#
# If a check on the CPU has built everything here with the same LibTorch, copy build/device/bin as well:
#
#   benchmarks/device_check.sh cuda --out "$OUT" --programs build/device/bin
#
# Requirements: g++, CMake, Ninja or make, and a python3 with torch; no CUDA toolkit. benchmarks/RESULTS_CUDA.md is the
# device_check.md of a full run. The exit code is 0 only if every part succeeded.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=${here%/*}
build=$root/build/device
archive=$root/build/device_packages.tar.xz
packages=$root/build/device_packages
log_lines=30 # printed for a part that failed
mapfile -t device_headers <"$here/device_headers.txt" # one header of each package

log_line() { printf 'device_check %4d s  %s\n' "$SECONDS" "$*" >&2; }
fail() { log_line "$*"; exit 1; }
usage() { sed -n '3,/^set -euo/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# --- parts with a time limit ------------------------------------------------------------------------------------------

seconds_left() { echo $((total - SECONDS)); }

# part NAME LIMIT COMMAND...: runs a command for at most LIMIT seconds, with output to the log, and records its result for
# the tables; true if it succeeded.
part() {
  local name=$1 limit=$2 status=0 result begin=$SECONDS first_line next=20
  shift 2
  first_line=$(($(wc -l <"$log") + 1))
  if [ "$limit" -lt 1 ]; then
    note "$name" 0 "$limit" "not run: the time limit was reached"
    return 1
  fi
  log_line "$name, at most $limit s"
  timeout --kill-after=5 "$limit" "$@" >>"$log" 2>&1 </dev/null &
  running=$!
  while kill -0 "$running" 2>/dev/null; do
    sleep 1
    if [ $((SECONDS - begin)) -ge $next ]; then
      log_line "  $(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-150)"
      next=$((next + 20))
    fi
  done
  wait "$running" || status=$?
  running=
  # 137: killed, by the time limit or for another reason.
  case $status in
    0) result="ok" ;;
    124 | 137) result="stopped after $((SECONDS - begin)) of $limit s" ;;
    *) result="failed with status $status" ;;
  esac
  note "$name" $((SECONDS - begin)) "$limit" "$result"
  [ "$status" != 0 ] || return 0
  tail -n "+$first_line" "$log" | tail -n "$log_lines" >&2
  return 1
}

# note NAME SECONDS LIMIT RESULT
note() {
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$out/parts.tsv"
  [ "$4" = ok ] || failed=1
  log_line "$1: $4 ($2 s)"
}

# Writes the tables, also if the check was stopped.
finish() {
  local status=$?
  trap - EXIT
  if [ -n "$running" ]; then
    kill "$running" 2>/dev/null || true
    note "the check" "$SECONDS" "$total" "interrupted"
  fi
  "$python" "$here/device_report.py" tables "$out" || failed=1
  log_line "results written to $out: device_check.md, device_check.json"
  [ "$status" != 0 ] || status=$failed
  exit "$status"
}

# --- building ---------------------------------------------------------------------------------------------------------

# Headers that the compiler does not find.
missing_headers() {
  local header
  for header in "${device_headers[@]}"; do
    "${CXX:-g++}" -x c++ -E -include "$header" /dev/null >/dev/null 2>&1 || printf '%s ' "$header"
  done
}

# Unpacks the archive of --pack.
unpack_packages() {
  if [ ! "$packages/unpacked" -nt "$archive" ]; then
    log_line "unpacking build/device_packages.tar.xz"
    rm -rf "$packages"
    mkdir -p "$packages"
    # Some machines have no xz, and some versions of Python cannot read the archive.
    tar -C "$packages" -xJf "$archive" >>"$log" 2>&1 ||
      "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$packages" >>"$log" 2>&1 ||
      fail "$(tail -n "$log_lines" "$log")"
    touch "$packages/unpacked"
  fi
  package_libraries=$(echo "$packages"/usr/lib/*-linux-gnu)
}

# Unpacks the packages if any are missing, and adds their CMake arguments to `arguments`.
take_packages() {
  local missing
  missing=$(missing_headers)
  [ -n "$missing" ] || return 0
  if [ ! -f "$archive" ]; then
    fail "these headers were not found: $missing
  Install their packages (./dev lists them), or run benchmarks/device_check.sh --pack on a machine that has them and copy build/device_packages.tar.xz to this machine."
  fi
  log_line "headers not found: $missing"
  unpack_packages
  cat >"$packages/pkg-config" <<PKG_CONFIG
#!/bin/sh
export LD_LIBRARY_PATH='$package_libraries' PKG_CONFIG_SYSROOT_DIR='$packages'
export PKG_CONFIG_LIBDIR='$package_libraries/pkgconfig:$packages/usr/share/pkgconfig'
exec '$packages/usr/bin/pkg-config' "\$@"
PKG_CONFIG
  chmod +x "$packages/pkg-config"
  export CMAKE_PREFIX_PATH=$packages/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  # RPATH instead of RUNPATH, so that it also applies to the dependencies of libraries.
  arguments+=("-DPKG_CONFIG_EXECUTABLE=$packages/pkg-config" "-DCMAKE_BUILD_RPATH=$package_libraries"
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags")
}

# Programs built on another machine find LibTorch and the packages through the environment.
take_programs() {
  local package_libraries=
  [ ! -f "$archive" ] || unpack_packages
  export LD_LIBRARY_PATH=$torch_package/lib${package_libraries:+:$package_libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  part programs 60 "$verifier" --version
}

configure() {
  # Configure from scratch if the arguments differ, since CMake caches paths of another LibTorch or of other packages.
  local arguments=("$@") key
  take_packages
  key="${arguments[*]} CXX=${CXX:-} CXXFLAGS=${CXXFLAGS:-} prefix=${CMAKE_PREFIX_PATH:-}"
  if [ "$(cat "$build/configured" 2>/dev/null)" = "$key" ]; then
    part configure "$(seconds_left)" cmake "$build"
  else
    rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles/pkgRedirects" "$build/configured"
    part configure "$(seconds_left)" cmake -S "$root" -B "$build" "${arguments[@]}" || return
    printf '%s\n' "$key" >"$build/configured"
  fi
}

build_programs() {
  local generator=() keep_going=(-- -k) limit=$((total * 6 / 10))
  if command -v ninja >/dev/null; then
    generator=(-G Ninja)
    keep_going=(-- -k 0)
  fi
  configure "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DMNEME_BUILD_TESTS=OFF -DMNEME_BUILD_DEVICE_BENCHMARK=ON \
    -DMNEME_INSTALL=OFF "-DTorch_DIR=$root/cmake/torch_package" "-DMNEME_TORCH_PACKAGE=$torch_package" || return
  rm -f "$verifier" "$benchmark" # never use programs of an earlier build
  part build "$limit" cmake --build "$build" --parallel "${MNEME_JOBS:-$(nproc)}" --target mneme_nn_program device_benchmark "${keep_going[@]}"
}

# --- checking ---------------------------------------------------------------------------------------------------------

verify_golden() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  part golden $(($(seconds_left) / 3)) bash -c 'results=$1; shift; exec "$@" >"$results"' - "$out/golden.json" \
    "$verifier" verify "$root"/tests/golden/{hopfield,leap} --device "$device" --json
}

time_device() {
  local limit=$(($(seconds_left) - 10)) # reserved for the tables
  part timings "$limit" "$benchmark" "$device" "$out/timings.jsonl" --seconds $((limit > 20 ? limit - 15 : limit)) "${short[@]}"
}

main() {
  device=cpu out=$build/results programs='' short=() failed=0 running=
  while [ $# -gt 0 ]; do
    case $1 in
      cpu | cuda | cuda:[0-9]*) device=$1 ;;
      --short) short=(--short); export OMP_WAIT_POLICY=passive ;; # for machines with other load
      --out) [ $# -gt 1 ] || usage; out=$2; shift ;;
      --programs) [ $# -gt 1 ] || usage; programs=$2; shift ;;
      --pack) exec "$here/pack_device_packages.sh" "$archive" ;;
      *) usage ;;
    esac
    shift
  done
  total=570
  [ "$device" != cpu ] || total=7200
  total=${DEVICE_CHECK_SECONDS:-$total}
  python=$(command -v "${PYTHON:-python3}") || fail "${PYTHON:-python3} was not found"
  PATH=$PATH:${python%/*} # pip installs cmake and ninja next to it
  verifier=${programs:-$build/bin}/mneme-nn
  benchmark=${programs:-$build/bin}/device_benchmark

  mkdir -p "$out" "$build"
  out=$(cd "$out" && pwd)
  log=$out/device_check.log
  rm -f "$out"/{device_check.md,device_check.json,device_check.log,machine.json,parts.tsv,golden.json,timings.jsonl}
  : >"$log"
  "$python" "$here/device_report.py" machine "$device" >"$out/machine.json" || fail "the check cannot run: see above"
  torch_package=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["torch_package"])' "$out/machine.json")
  log_line "$device, LibTorch in $torch_package"

  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ -n "$programs" ]; then take_programs || true; else build_programs || true; fi
  if [ -x "$verifier" ]; then verify_golden || true; else note golden 0 0 "not run: $verifier was not found"; fi
  if [ -x "$benchmark" ]; then time_device || true; else note timings 0 0 "not run: $benchmark was not found"; fi
}

main "$@"
