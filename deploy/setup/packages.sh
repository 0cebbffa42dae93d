#!/usr/bin/env bash
# Install the Debian packages that `make run`, `make test` or `make bench` needs, and only those that are missing.
#
# Says first what it installs and why. Some packages bring services; a policy-rc.d for the length of the
# installation keeps them from being started: nothing of ours needs them running.
set -euo pipefail
purpose=${1:?run, test or bench}

declare -A why=(
  [iperf3]="classroom endpoints of the demonstration"
  [libiperf0]="throughput tests (the iperf3 library)"
  [iproute2]="the school in network namespaces"
  [ethtool]="true line rates in it"
  [procps]="forwarding in it"
  [prometheus]="the tests scrape with a real Prometheus"
  [prometheus-alertmanager]="the tests receive its messages"
  [chromium]="the tests look at the pages in a real browser"
  [fonts-noto-cjk]="Chinese text in that browser"
  [openssl]="certificates of the tests"
  [postgresql]="the tests keep results on a real server too"
  [patroni]="the tests lose one of two servers"
  [etcd-server]="which decides who takes over"
  [etcd-client]="and says so"
  [nginx-light]="the tests reach several collectors through it"
  [snmpd]="recorder and switch of the demonstration answer by SNMP"
  [gir1.2-gst-rtsp-server-1.0]="its camera streams by RTSP"
  [python3-gi]="that stream"
  [dnsmasq-base]="the tests look for a second DHCP server"
  [libreoffice-writer-nogui]="the tests open the report as staff do"
  [systemd-container]="the tests boot a Debian with systemd"
  [mmdebstrap]="and install the packages in a clean one"
  [faketime]="whose gateway's clock jumps by two weeks"
  [lldpd]="the tests listen to a switch"
  [gstreamer1.0-plugins-base]="its test picture and tone"
  [gstreamer1.0-plugins-good]="its packets"
  [gstreamer1.0-plugins-ugly]="its H.264"
  [gstreamer1.0-plugins-bad]="its AAC in the tests"
  [prometheus-snmp-exporter]="a bench asks the same devices with it"
)
wanted=(iperf3 libiperf0 iproute2 ethtool procps snmpd gir1.2-gst-rtsp-server-1.0 python3-gi
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly)
[ "$purpose" = test ] && wanted+=(prometheus prometheus-alertmanager chromium fonts-noto-cjk openssl dnsmasq-base lldpd
  systemd-container mmdebstrap faketime libreoffice-writer-nogui postgresql
  patroni etcd-server etcd-client nginx-light
  gstreamer1.0-plugins-bad)
[ "$purpose" = bench ] && wanted+=(prometheus-snmp-exporter)

if ! command -v dpkg-query >/dev/null; then
  echo "This is not Debian or Ubuntu; please install by hand: ${wanted[*]}" >&2
  exit 0
fi
missing=()
for package in "${wanted[@]}"; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "System packages to install:"
for package in "${missing[@]}"; do printf '  %-16s %s\n' "$package" "${why[$package]}"; done
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Not root and no sudo: please ask for 'apt-get install ${missing[*]}'; going on without." >&2
    exit 0
  fi
  as_root=(sudo)
fi

log=$(mktemp)
guard=/usr/sbin/policy-rc.d
trap 'rm -f "$log"; [ -z "${guarded:-}" ] || "${as_root[@]}" rm -f "$guard"' EXIT
if [ ! -e "$guard" ]; then
  guarded=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$guard" >/dev/null
  "${as_root[@]}" chmod 755 "$guard"
fi
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}")
if ! "${install[@]}" >"$log" 2>&1; then
  "${as_root[@]}" apt-get -qq update >>"$log" 2>&1 || true
  if ! "${install[@]}" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install: ${missing[*]}" >&2
    exit 1
  fi
fi
echo "installed."
