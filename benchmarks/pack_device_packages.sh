#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Packs the Debian packages that mneme needs for building, for machines without them and without a network:
# pack_device_packages.sh ARCHIVE.tar.xz     (called by device_check.sh --pack; device_check.sh unpacks the archive if needed)
#
# The archive contains, below usr/, headers, shared libraries and CMake files of these packages, their dependencies among
# shared libraries except the C and C++ runtime, and pkg-config. The CMake files are relocatable.
set -euo pipefail
archive=${1:?usage: pack_device_packages.sh ARCHIVE.tar.xz}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
architecture=$(gcc -print-multiarch)
pkg_config=$(readlink -f "$(command -v pkg-config)")

files_of_packages() {
  local headers packages
  mapfile -t headers < <(while read -r header; do
    ls "/usr/include/$header" 2>/dev/null || ls "/usr/include/$architecture/$header"
  done <"$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/device_headers.txt")
  mapfile -t packages < <(dpkg -S "${headers[@]}" | cut -d: -f1 | sort -u)
  dpkg -L "${packages[@]}" | grep -E '^/usr/(include|lib|share)/' |
    grep -Ev '\.a$|/(doc|man|lintian)/|/cmake/[Bb]oost' # Boost is header-only and found without its CMake files
}

# Shared libraries that FILE... need, except those of the C and C++ runtime.
needed_libraries() {
  local runtime='/(ld-linux.*|lib(c|m|mvec|dl|rt|pthread|stdc\+\+|gcc_s)\.so.*)$'
  # ldd fails for statically linked files.
  { ldd "$@" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | grep -Ev "$runtime"
}

# link_chain PATH: all links from PATH to a file, and the file.
link_chain() {
  local path target
  path=$(realpath "$(dirname "$1")")/${1##*/} # /lib is a link itself
  printf '%s\n' "$path"
  if [ -L "$path" ]; then
    target=$(readlink "$path")
    case $target in /*) link_chain "$target" ;; *) link_chain "${path%/*}/$target" ;; esac
  fi
}

mapfile -t files < <(files_of_packages)
libraries=()
for file in "${files[@]}"; do
  case $file in *.so | *.so.*) libraries+=("$file") ;; esac
done
mapfile -t needed < <(needed_libraries "${libraries[@]}" "$pkg_config")
{
  printf '%s\n' "${files[@]}"
  for file in "${libraries[@]}" "${needed[@]}" "$pkg_config"; do link_chain "$file"; done
} | sort -u | while read -r file; do [ -d "$file" ] || printf '%s\n' "${file#/}"; done |
  tar -C / -c --files-from=- | tar -C "$folder" -x
[ "$pkg_config" = /usr/bin/pkg-config ] || mv "$folder$pkg_config" "$folder/usr/bin/pkg-config"
find "$folder" -lname '/*' -printf '%p %l\n' | while read -r link target; do
  ln -sfr "$folder$(realpath "${target%/*}")/${target##*/}" "$link"
done
# Merge the architecture's include folder, which compilers search by default only in the system.
if [ -d "$folder/usr/include/$architecture" ]; then
  cp -r "$folder/usr/include/$architecture/." "$folder/usr/include/"
  rm -r "$folder/usr/include/${architecture:?}"
fi
PATH=$PATH:/sbin ldconfig -n "$folder/usr/lib/$architecture" # links for the sonames

mkdir -p "$(dirname "$archive")"
tar -C "$folder" --owner=0 --group=0 --sort=name -c usr | xz -6 -T0 >"$archive.part"
mv "$archive.part" "$archive"
printf '%s: %d files, %d MB\n' "$archive" "$(find "$folder" -type f | wc -l)" $(($(stat -c %s "$archive") / 1000000))
