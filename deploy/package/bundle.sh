#!/usr/bin/env bash
# For gateways without Internet: the agent's package with every Debian package it needs that a minimal Debian 12 lacks, and a script that installs them.
#
#   deploy/package/bundle.sh [--arch amd64|arm64] [--out DIR]      after build.sh; needs Debian 12's package lists (apt-get update)
#
# For the other architecture: dpkg --add-architecture arm64 && apt-get update, first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arch=$(dpkg --print-architecture) out=$here/../../dist
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=${2:?}; shift 2 ;;
    --out) out=${2:?}; shift 2 ;;
    *) sed -n 2,6p "$0" | cut -c3- >&2; exit 2 ;;
  esac
done
out=$(cd "$out" && pwd)
deb=$(find "$out" -name "campus-agent_*_$arch.deb" | sort -V | tail -n 1)
[ -n "$deb" ] || { echo "build the package first: deploy/package/build.sh --arch $arch agent" >&2; exit 1; }
name=$(basename "$deb" .deb)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work/${name/campus-agent_/campus-agent-offline_}
mkdir -p "$folder/packages"
cp "$deb" "$folder/"

# the closure of what it depends on, without what every Debian has (Priority: required, Essential)
needed=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/(.*//; s/ //g' | sort -u)
# shellcheck disable=SC2086
closure=$(apt-cache -o APT::Architecture="$arch" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $needed |
  grep -E '^[a-z0-9]' | sed 's/:.*//' | sort -u)
# shellcheck disable=SC2086
mapfile -t wanted < <(apt-cache -o APT::Architecture="$arch" show --no-all-versions $closure 2>/dev/null |
  awk -v arch="$arch" 'BEGIN { RS = ""; FS = "\n" } {
    name = ""; skip = 0
    for (i = 1; i <= NF; i++) {
      if ($i ~ /^Package: /) name = substr($i, 10)
      if ($i ~ /^(Essential: yes|Priority: required)/) skip = 1
    }
    if (name != "" && !skip && name !~ /^(perl|perl-modules-.*|libperl.*|cdebconf|libdebian-installer.*|libnewt.*|libslang.*|libtextwrap.*|mailcap|mime-support)$/) print name ":" arch
  }' | sort -u)  # other ways to have debconf and MIME types: those of every Debian do
(cd "$folder/packages" && apt-get -qq -o APT::Sandbox::User=root download "${wanted[@]}")
install -m 755 "$here/install.sh" "$folder/install.sh"
(cd "$folder" && sha256sum ./*.deb packages/*.deb >SHA256SUMS)
tar czf "$out/$(basename "$folder").tar.gz" --sort=name --owner=0 --group=0 -C "$work" "$(basename "$folder")"
ls -lh "$out/$(basename "$folder").tar.gz" | awk '{print "   " $5 "  " $9}'
