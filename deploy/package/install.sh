#!/bin/sh
# Install the agent on a gateway without Internet: as root, in the unpacked folder: ./install.sh
set -e
cd "$(dirname "$0")"
[ "$(id -u)" -eq 0 ] || { echo "Please run as root. 请以 root 身份运行。" >&2; exit 1; }
deb=$(echo ./campus-agent_*.deb)
arch=$(dpkg --print-architecture)
case $deb in
  *_"$arch".deb) ;;
  *) echo "$deb is not for this machine ($arch). 安装包与本机架构（$arch）不符。" >&2; exit 1 ;;
esac
. /etc/os-release
[ "$VERSION_ID" = 12 ] || { echo "This bundle is for Debian 12; this is $PRETTY_NAME. 本离线包适用于 Debian 12，本机为 $PRETTY_NAME。" >&2; exit 1; }
sha256sum --check --quiet SHA256SUMS || { echo "A file is damaged: copy the bundle again. 文件损坏，请重新复制。" >&2; exit 1; }
missing=""
for one in ./packages/*.deb; do  # what is there already stays as it is, in its own version
  name=$(dpkg-deb -f "$one" Package)
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $one"
done
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get --yes --no-install-recommends -o Dir::Etc::SourceList=/dev/null \
  -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root install $missing "$deb"
