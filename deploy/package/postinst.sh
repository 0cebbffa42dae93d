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
if [ "$package" = campus-collector ] && [ ! -e "$etc/collector.toml" ]; then
  install -m 640 /usr/share/campus-collector/collector.toml "$etc/collector.toml"
fi
if [ -f "$etc/collector.toml" ]; then
  chgrp "$package" "$etc/collector.toml"
  chmod o= "$etc/collector.toml"
fi
unit=/etc/systemd/system/$package.service
if [ -f "$unit" ] && [ ! -L "$unit" ]; then  # the script for bureaus put a copy there before 0.2.1
  if [ "$(sha256sum "$unit" | cut -d ' ' -f 1)" = ee4d4dfe2c730a242d25ea04141b463109d04912531c1684c081900288755a76 ]; then
    rm -f "$unit"
  else
    echo "$unit hides this package's unit; put your changes into $unit.d/local.conf and remove it  该文件遮盖了软件包自带的单元文件，请将改动移至 $unit.d/local.conf 后删除它" >&2
  fi
fi
if command -v systemctl >/dev/null; then
  [ -n "$2" ] || systemctl --quiet enable "$package.service" || true
  # upgrades by the collector stay as staff set them: campus-agent upgrade enable
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    systemctl try-restart "$package@*.service" || true  # several collectors of one machine, by their ports
    [ "$(readlink "$unit" || true)" = /dev/null ] || systemctl restart "$package.service" || echo "$package does not run: journalctl -u $package  未能启动，请查看日志" >&2
  fi
fi
if [ "$package" = campus-agent ] && [ ! -e "$etc/agent.toml" ]; then
  echo "Next, with the bureau's code:  campus-agent enroll https://COLLECTOR:8443 CODE"
  echo "下一步（使用教育局提供的注册码）：campus-agent enroll https://采集服务器:8443 注册码"
fi
exit 0
