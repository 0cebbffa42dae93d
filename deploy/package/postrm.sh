#!/bin/sh
# Removed: configuration and data stay. Purged: nothing stays.
set -e
package=@PACKAGE@
if [ "$1" = purge ]; then
  rm -rf "/etc/$package" "/var/lib/$package" "/opt/$package"
  [ "$package" != campus-agent ] || rm -rf /var/lib/campus-agent-upgrade /etc/systemd/system/campus-agent-install.service /var/lib/systemd/timers/stamp-campus-agent-upgrade.timer
  unit=/etc/systemd/system/$package.service
  [ "$(readlink "$unit" || true)" != /dev/null ] || rm -f "$unit"  # masked in favour of several collectors
  ! getent passwd "$package" >/dev/null || userdel "$package" || true
  ! getent group "$package" >/dev/null || groupdel "$package" || true
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
exit 0
