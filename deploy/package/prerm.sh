#!/bin/sh
# Removing stops the service; an upgrade does not: the new program takes its place in postinst.
set -e
package=@PACKAGE@
if [ "$1" = remove ] && command -v systemctl >/dev/null; then
  [ ! -d /run/systemd/system ] || systemctl stop "$package.service" "$package@*.service" || true
  systemctl --quiet disable "$package.service" || true
  if [ "$package" = campus-agent ]; then
    for unit in campus-agent-upgrade.timer campus-agent-upgrade.path campus-agent-install.service; do
      [ ! -d /run/systemd/system ] || systemctl stop "$unit" 2>/dev/null || true
      systemctl --quiet disable "$unit" 2>/dev/null || true
    done
  fi
  rm -f "/etc/systemd/system/multi-user.target.wants/$package.service"  # that of a masked service is not disabled
  for instance in /etc/systemd/system/multi-user.target.wants/"$package"@*.service; do
    [ ! -L "$instance" ] || systemctl --quiet disable "${instance##*/}" || true
  done
fi
exit 0
