#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds mneme against the LibTorch of python3, checks the golden cases on a device and times ops and layers there.
#
#   benchmarks/device_check.sh [cpu|cuda|cuda:N] [--short] [--out FOLDER] [--programs FOLDER]
#   benchmarks/device_check.sh --pack
#
# --short      small shapes and few runs, to see that everything works
# --out        for device_check.md, device_check.json, and what they are made of; default build/device/results
# --programs   builds nothing: takes mneme-nn and device_benchmark of this folder, which were built elsewhere with the
#              same version of LibTorch (they lie in build/device/bin after a check there)
# --pack       writes build/device_packages.tar.xz: the packages that mneme is built with, for a machine without them
#
# Environment
#   PYTHON                 the interpreter whose torch is taken; else python3
#   DEVICE_CHECK_SECONDS   time for everything; else 570 on cuda, 7200 on cpu. Every part has its share of it, and what
#                          was measured until then is kept
#   MNEME_JOBS             compilers at once; else one per CPU
#   CMAKE_PREFIX_PATH      where packages are looked for first
#
# On a machine that is lent for minutes, has no network and none of the packages: run --pack on a machine that has them,
# bring this folder there with build/device_packages.tar.xz, and run there
#
#   benchmarks/device_check.sh cuda --out "$OUT"
#
# Or, where a check on the CPU has built everything here against the same LibTorch, bring build/device/bin as well:
#
#   benchmarks/device_check.sh cuda --out "$OUT" --programs build/device/bin
#
# It needs g++, CMake, Ninja or make, and a python3 with torch; no CUDA toolkit. device_check.md of a whole run is what
# benchmarks/RESULTS_CUDA.md holds. The exit code is 0 only if every part succeeded.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=${here%/*}
build=$root/build/device
archive=$root/build/device_packages.tar.xz
packages=$root/build/device_packages
log_lines=30 # of a part that failed
mapfile -t device_headers <"$here/device_headers.txt" # one of each package

say() { printf 'device_check %4d s  %s\n' "$SECONDS" "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { sed -n '3,/^set -euo/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# --- parts with a time limit ------------------------------------------------------------------------------------------

seconds_left() { echo $((total - SECONDS)); }

# part NAME LIMIT COMMAND...: runs a command for at most LIMIT seconds, its output in the log. What became of it is noted
# for the tables; true if it succeeded.
part() {
  local name=$1 limit=$2 status=0 result begin=$SECONDS first_line next=20
  shift 2
  first_line=$(($(wc -l <"$log") + 1))
  if [ "$limit" -lt 1 ]; then
    note "$name" 0 "$limit" "not run: no time was left"
    return 1
  fi
  say "$name, at most $limit s"
  timeout --kill-after=5 "$limit" "$@" >>"$log" 2>&1 </dev/null &
  running=$!
  while kill -0 "$running" 2>/dev/null; do
    sleep 1
    if [ $((SECONDS - begin)) -ge $next ]; then
      say "  $(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-150)"
      next=$((next + 20))
    fi
  done
  wait "$running" || status=$?
  running=
  # 137: killed, by its time limit or by something else.
  case $status in
    0) result="ok" ;;
    124 | 137) result="stopped after $((SECONDS - begin)) of its $limit s" ;;
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
  say "$1: $4 ($2 s)"
}

# Writes the tables, also of a check that was stopped.
finish() {
  local status=$?
  trap - EXIT
  if [ -n "$running" ]; then
    kill "$running" 2>/dev/null || true
    note "the check" "$SECONDS" "$total" "interrupted"
  fi
  "$python" "$here/device_report.py" tables "$out" || failed=1
  say "written to $out: device_check.md, device_check.json"
  [ "$status" != 0 ] || status=$failed
  exit "$status"
}

# --- building ---------------------------------------------------------------------------------------------------------

# Headers of packages that the compiler does not find.
missing_headers() {
  local header
  for header in "${device_headers[@]}"; do
    "${CXX:-g++}" -x c++ -E -include "$header" /dev/null >/dev/null 2>&1 || printf '%s ' "$header"
  done
}

# Unpacks what --pack has packed.
unpack_packages() {
  if [ ! "$packages/unpacked" -nt "$archive" ]; then
    say "unpacking build/device_packages.tar.xz"
    rm -rf "$packages"
    mkdir -p "$packages"
    # Not every machine has the program xz, and not every Python can do without.
    tar -C "$packages" -xJf "$archive" >>"$log" 2>&1 ||
      "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$packages" >>"$log" 2>&1 ||
      fail "$(tail -n "$log_lines" "$log")"
    touch "$packages/unpacked"
  fi
  package_libraries=$(echo "$packages"/usr/lib/*-linux-gnu)
}

# Unpacks packages if something is missing here, and adds to `arguments` what CMake has to know of them.
take_packages() {
  local missing
  missing=$(missing_headers)
  [ -n "$missing" ] || return 0
  if [ ! -f "$archive" ]; then
    fail "packages are missing here, those of: $missing
  Install them (./dev lists them), or run benchmarks/device_check.sh --pack on a machine that has them and bring build/device_packages.tar.xz here."
  fi
  say "not found here: $missing"
  unpack_packages
  cat >"$packages/pkg-config" <<PKG_CONFIG
#!/bin/sh
export LD_LIBRARY_PATH='$package_libraries' PKG_CONFIG_SYSROOT_DIR='$packages'
export PKG_CONFIG_LIBDIR='$package_libraries/pkgconfig:$packages/usr/share/pkgconfig'
exec '$packages/usr/bin/pkg-config' "\$@"
PKG_CONFIG
  chmod +x "$packages/pkg-config"
  export CMAKE_PREFIX_PATH=$packages/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  # RPATH, not RUNPATH: the libraries find one another through the program.
  arguments+=("-DPKG_CONFIG_EXECUTABLE=$packages/pkg-config" "-DCMAKE_BUILD_RPATH=$package_libraries"
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags")
}

# Programs of another machine find LibTorch and packages by the environment.
take_programs() {
  local package_libraries=
  [ ! -f "$archive" ] || unpack_packages
  export LD_LIBRARY_PATH=$torch_package/lib${package_libraries:+:$package_libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  part programs 60 "$verifier" --version
}

configure() {
  # CMake would keep what it found for another LibTorch, or before packages were unpacked.
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
  rm -f "$verifier" "$benchmark" # no program of an earlier build is ever taken for one of this
  part build "$limit" cmake --build "$build" --parallel "${MNEME_JOBS:-$(nproc)}" --target mneme_nn_program device_benchmark "${keep_going[@]}"
}

# --- checking ---------------------------------------------------------------------------------------------------------

verify_golden() {
  # shellcheck disable=SC2016  # expanded by the shell that is started
  part golden $(($(seconds_left) / 3)) bash -c 'results=$1; shift; exec "$@" >"$results"' - "$out/golden.json" \
    "$verifier" verify "$root"/tests/golden/{hopfield,leap} --device "$device" --json
}

time_device() {
  local limit=$(($(seconds_left) - 10)) # for the tables
  part timings "$limit" "$benchmark" "$device" "$out/timings.jsonl" --seconds $((limit > 20 ? limit - 15 : limit)) "${short[@]}"
}

main() {
  device=cpu out=$build/results programs='' short=() failed=0 running=
  while [ $# -gt 0 ]; do
    case $1 in
      cpu | cuda | cuda:[0-9]*) device=$1 ;;
      --short) short=(--short); export OMP_WAIT_POLICY=passive ;; # for a machine that also does other work
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
  python=$(command -v "${PYTHON:-python3}") || fail "there is no ${PYTHON:-python3}"
  PATH=$PATH:${python%/*} # pip puts cmake and ninja beside it
  verifier=${programs:-$build/bin}/mneme-nn
  benchmark=${programs:-$build/bin}/device_benchmark

  mkdir -p "$out" "$build"
  out=$(cd "$out" && pwd)
  log=$out/device_check.log
  rm -f "$out"/{device_check.md,device_check.json,device_check.log,machine.json,parts.tsv,golden.json,timings.jsonl}
  : >"$log"
  "$python" "$here/device_report.py" machine "$device" >"$out/machine.json" || fail "no check: see above"
  torch_package=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["torch_package"])' "$out/machine.json")
  say "$device, LibTorch in $torch_package"

  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ -n "$programs" ]; then take_programs || true; else build_programs || true; fi
  if [ -x "$verifier" ]; then verify_golden || true; else note golden 0 0 "not run: there is no $verifier"; fi
  if [ -x "$benchmark" ]; then time_device || true; else note timings 0 0 "not run: there is no $benchmark"; fi
}

main "$@"
