#!/bin/sh
# User, folders, service. Works without a running systemd too (in an image that is being made).
set -e
package=@PACKAGE@
[ "$1" = configure ] || exit 0
home=/var/lib/$package etc=/etc/$package
getent passwd "$package" >/dev/null ||
  useradd --system --home-dir "$home" --no-create-home --shell /usr/sbin/nologin "$package"
if [ "$package" = campus-agent ]; then mode=700; else mode=750; fi
install -d -m "$mode" -o "$package" -g "$package" "$home"
install -d -m 750 -o root -g "$package" "$etc"
if [ -f "$etc/collector.toml" ]; then
  chgrp "$package" "$etc/collector.toml"
  chmod o= "$etc/collector.toml"
fi
if command -v systemctl >/dev/null; then
  [ -n "$2" ] || systemctl --quiet enable "$package.service" || true
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    systemctl restart "$package.service" || echo "$package does not run: journalctl -u $package  未能启动，请查看日志" >&2
  fi
fi
if [ "$package" = campus-agent ] && [ ! -e "$etc/agent.toml" ]; then
  echo "Next, with the bureau's code:  campus-agent enroll https://COLLECTOR:8443 CODE"
  echo "下一步（使用教育局提供的注册码）：campus-agent enroll https://采集端:8443 注册码"
fi
exit 0
