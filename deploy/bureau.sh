#!/usr/bin/env bash
# Install the collector with Prometheus and Alertmanager on a bureau's Debian 12: packages, users, configuration, systemd units.
#
#   sudo deploy/bureau.sh            # or: sudo deploy/bureau.sh DIR-OR-WHEEL (what pip shall install; default: this checkout)
#
# May be run again: the program is renewed, what staff edited is kept. Debian has no Grafana: see dashboards/README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-$here}
[ "$(id -u)" -eq 0 ] || { echo "Please run as root (sudo). 请以 root 身份运行（sudo）。" >&2; exit 1; }

say() { printf '== %s\n' "$*"; }

say "packages  软件包"
missing=()
for package in python3-venv prometheus prometheus-alertmanager; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}"
fi

if dpkg-query -W -f='${Status}' campus-collector 2>/dev/null | grep -q 'ok installed'; then
  say "program  程序: the package campus-collector  软件包"
else
  say "program  程序: /opt/campusmeter"
  # Debian's own Python: one from somebody's home could not be run by a service that sees no homes
  [ -x /opt/campusmeter/bin/python ] || /usr/bin/python3 -m venv /opt/campusmeter
  /opt/campusmeter/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "campusmeter[collector,archive] @ file://$(realpath "$program")"
  ln -sfn /opt/campusmeter/bin/campus-collector /usr/bin/campus-collector
  # where the package would put it, so that the package can take its place later; before 0.2.1 it stood where nothing replaces it
  install -m 644 "$here/deploy/systemd/campus-collector.service" /lib/systemd/system/campus-collector.service
  install -m 644 "$here/deploy/systemd/campus-collector@.service" /lib/systemd/system/campus-collector@.service
  rm -f /etc/systemd/system/campus-collector.service
fi

say "user and folders  用户与目录"
getent passwd campus-collector >/dev/null ||
  useradd --system --home-dir /var/lib/campus-collector --shell /usr/sbin/nologin campus-collector
install -d -m 750 -o root -g campus-collector /etc/campus-collector
if [ ! -e /etc/campus-collector/collector.toml ]; then
  # loopback until there is a certificate; deploy/collector.sample.toml shows everything that can be set
  printf '[server]\nlisten = "127.0.0.1:8080"\n\n[store]\nurl = "sqlite:////var/lib/campus-collector/campus.db"\n\n[report]\ndir = "/var/lib/campus-collector/reports"\n\n[metrics]\nallow = ["127.0.0.1", "::1"]  # the Prometheus of this machine\n\n[county]\nname = ""\ntimezone = "Asia/Shanghai"\n' \
    >/etc/campus-collector/collector.toml
  chgrp campus-collector /etc/campus-collector/collector.toml
  chmod 640 /etc/campus-collector/collector.toml
fi
/usr/bin/campus-collector check-config --config /etc/campus-collector/collector.toml

etc=/etc/prometheus/campusmeter
say "Prometheus, Alertmanager: $etc"
# Nothing that belongs to Debian's packages is changed: an upgrade that finds a changed conffile would ask, or stop.
for name in prometheus.yml alertmanager.yml; do  # before 0.2.1 these replaced Debian's: what staff edited moves, Debian's comes back
  if [ -e "/etc/prometheus/$name.before-campusmeter" ]; then
    [ -e "$etc/$name" ] || install -D -m 644 "/etc/prometheus/$name" "$etc/$name"
    mv "/etc/prometheus/$name.before-campusmeter" "/etc/prometheus/$name"
  fi
done
sed -i 's|^ARGS="--cluster.listen-address= --web.listen-address=127.0.0.1:9093 |ARGS="|' /etc/default/prometheus-alertmanager
sed -i 's|^ARGS="--web.listen-address=127.0.0.1:9090 |ARGS="|' /etc/default/prometheus
install -d -m 755 "$etc"
for name in recording.rules.yml alerts.rules.yml; do  # ours: always renewed
  install -m 644 "$here/deploy/prometheus/$name" "$etc/$name"
done
for name in prometheus.yml alertmanager.yml; do  # theirs to edit: put there once
  [ -e "$etc/$name" ] || install -m 644 "$here/deploy/prometheus/$name" "$etc/$name"
done
arguments() {  # of a service of Debian's, by a drop-in of systemd
  install -d -m 755 "/etc/systemd/system/$1.service.d"
  printf '[Service]\nEnvironmentFile=\nEnvironment="ARGS=%s"\n' "$2" >"/etc/systemd/system/$1.service.d/campusmeter.conf"
}
arguments prometheus "--config.file=$etc/prometheus.yml --web.listen-address=127.0.0.1:9090"
# one Alertmanager needs no cluster, and no open port 9094
arguments prometheus-alertmanager "--config.file=$etc/alertmanager.yml --cluster.listen-address= --web.listen-address=127.0.0.1:9093"
promtool check config "$etc/prometheus.yml" >/dev/null
amtool check-config "$etc/alertmanager.yml" >/dev/null 2>&1 || echo "Please look at $etc/alertmanager.yml. 请检查该文件。" >&2

say "services  服务"
systemctl daemon-reload 2>/dev/null || true
for unit in campus-collector prometheus prometheus-alertmanager; do
  systemctl enable --quiet "$unit"
  systemctl restart "$unit" 2>/dev/null || echo "not started now: $unit  暂未启动，重启系统后生效"
done

cat <<'END'

The collector answers at http://127.0.0.1:8080/, Prometheus at http://127.0.0.1:9090/, Alertmanager at http://127.0.0.1:9093/.
Next: a certificate for other machines (deploy/collector.sample.toml), the receivers in /etc/prometheus/campusmeter/alertmanager.yml,
the inventory (campus-collector inventory sample), the dashboards (dashboards/README.md). The manual: http://127.0.0.1:8080/help
采集平台：http://127.0.0.1:8080/ ，Prometheus：http://127.0.0.1:9090/ ，Alertmanager：http://127.0.0.1:9093/ 。
下一步：为其他机器配置证书，在 /etc/prometheus/campusmeter/alertmanager.yml 填写接收人，导入学校清单，导入仪表盘。使用手册：http://127.0.0.1:8080/help
END
