#!/bin/sh
# Removing stops the service; an upgrade does not: the new program takes its place in postinst.
set -e
package=@PACKAGE@
if [ "$1" = remove ] && command -v systemctl >/dev/null; then
  [ ! -d /run/systemd/system ] || systemctl stop "$package.service" "$package@*.service" || true
  systemctl --quiet disable "$package.service" || true
fi
exit 0
