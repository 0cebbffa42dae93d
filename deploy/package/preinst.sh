#!/bin/sh
# Nothing is unpacked yet: the moment to refuse going back, and to keep a copy of the data.
set -e
package=@PACKAGE@ version=@VERSION@
if [ "$1" = upgrade ] && [ -n "$2" ]; then
  if dpkg --compare-versions "$2" gt "$version" && [ -z "$CAMPUS_ALLOW_DOWNGRADE" ]; then
    cat >&2 <<END
$package $2 is installed; $version is older. Its data may have been brought forward already and cannot be brought back: nothing was changed.
To go back all the same: purge the package, install the older one, and restore a backup made by it.
已安装 $package $2，而 $version 较旧。数据格式只能向前升级，未做任何更改。
如确需退回：请先 purge 卸载，安装旧版本，再恢复由旧版本生成的备份。
END
    exit 1
  fi
  database=/var/lib/$package/campus.db
  if [ "$package" = campus-collector ] && [ -f "$database" ]; then
    size=$(stat -c %s "$database") free=$(df --output=avail -B1 "/var/lib/$package" | tail -n 1)
    if [ "$size" -lt 2000000000 ] && [ "$free" -gt $((size * 3)) ]; then
      copy=/var/lib/$package/before-$version.db
      rm -f "$copy"
      # As the service's user: what belongs to it must never be written by root. Bounded: the version that is installed may never end while
      # results come in (0.2.0).
      timeout --kill-after=10 120 runuser -u campus-collector -- /usr/bin/campus-collector backup "$copy" >/dev/null 2>&1 || {
        rm -f "$copy" "/var/lib/$package/.before-$version.db."*
        echo "$package: no copy of the database was made; going on  未能备份数据库，继续升级" >&2
      }
    else
      echo "$package: the database is large: please make your own copy (campus-collector backup)  数据库较大，请自行备份" >&2
    fi
  fi
fi
exit 0
