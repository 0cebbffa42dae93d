#!/usr/bin/env bash
# Build the Debian packages: each a program with all its libraries in an environment of its own under /opt; nothing is fetched when it is installed.
#
#   deploy/package/build.sh [--arch amd64|arm64] [--out DIR] [--level 0..9] [agent] [collector]      (default: both, for this machine, into dist/)
#
# --level is that of xz; 0 is quick, for tests.
# Wheels are those of Debian 12's Python 3.11, so either architecture can be built on either. The same wheels give the same octets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
arch=$(dpkg --print-architecture) out=$root/dist level=3 names=()
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=${2:?}; shift 2 ;;
    --out) out=$(mkdir -p "${2:?}" && cd "$2" && pwd); shift 2 ;;
    --level) level=${2:?}; shift 2 ;;
    agent | collector) names+=("$1"); shift ;;
    *) sed -n 2,7p "$0" | cut -c3- >&2; exit 2 ;;
  esac
done
[ ${#names[@]} -gt 0 ] || names=(agent collector)
case $arch in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *) echo "no wheels are known for $arch: amd64 or arm64" >&2; exit 2 ;;
esac
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=python3
pip=("$python" -m pip --quiet --disable-pip-version-check)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/pyproject.toml")}

manual=$root/collector/campus_collector/http/pages/manual
if [ ! -e "$manual/index.html" ] || [ -n "$(find "$root/docs" -name '*.md' -newer "$manual/index.html")" ]; then
  "$python" -m mkdocs build --quiet --config-file "$root/docs/mkdocs.yml" || echo "the manual was not built: make docs" >&2
fi
mkdir "$work/source"
(cd "$root" && tar cf - --exclude='__pycache__' agent collector dashboards pyproject.toml README.md LICENSE) | tar xf - -C "$work/source"
version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' "$work/source/agent/campus_wire/version.py")
wheels=${CAMPUS_WHEELS:-$root/build/wheels}
mkdir -p "$wheels" "$out"
"${pip[@]}" wheel --no-deps --wheel-dir "$work/wheel" "$work/source"
# what PyPI has only as source, and is Python alone; built apart, whatever this environment has of setuptools
for one in $(sed -n 's/^# sdist-only: //p' "$here/sdists.txt"); do
  compgen -G "$wheels/${one%%==*}-*.whl" >/dev/null || "${pip[@]}" wheel --use-pep517 --no-deps --wheel-dir "$wheels" "$one"
done

build() {
  local name=$1 package=campus-$1 tree=$work/$1 extras=$1 site
  [ "$name" = agent ] || extras=collector,postgres,archive
  local opt=$tree/opt/$package
  site=$opt/lib/python3.11/site-packages
  echo "== $package $version $arch"
  mkdir -p "$site" "$opt/bin" "$tree/usr/bin" "$tree/lib/systemd/system" "$tree/usr/share/doc/$package" "$tree/DEBIAN"
  "${pip[@]}" install --target "$site" --no-compile --find-links "$wheels" --only-binary=:all: --python-version 3.11 --implementation cp \
    --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
    "$(echo "$work"/wheel/*.whl)[$extras]"
  rm -rf "$site/bin" "$site"/*/tests "$site"/*/test  # console scripts of libraries, and their tests: nobody runs them here
  find "$site" -name RECORD -path '*.dist-info/*' -delete -o -name direct_url.json -delete
  printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' >"$opt/pyvenv.cfg"
  ln -s /usr/bin/python3.11 "$opt/bin/python3"
  ln -s python3 "$opt/bin/python"
  printf '#!/opt/%s/bin/python3 -I\nimport sys\n\nfrom campus_%s.cli.main import main\n\nsys.exit(main())\n' "$package" "$name" >"$opt/bin/$package"
  chmod 755 "$opt/bin/$package"
  ln -s "/opt/$package/bin/$package" "$tree/usr/bin/$package"
  # compiled here: the folder belongs to root, the program could never write it; hashes, not times, so that two builds are alike
  python3.11 -m compileall -q -j0 --invalidation-mode unchecked-hash -s "$tree" -p / "$site" >/dev/null 2>&1 ||
    "$python" -m compileall -q --invalidation-mode unchecked-hash -s "$tree" -p / "$site" >/dev/null
  install -m 644 "$root/deploy/systemd/$package.service" "$tree/lib/systemd/system/"
  install -m 644 "$root/README.md" "$root/README.zh-CN.md" "$root/CHANGELOG.md" "$root/LICENSE" "$root/deploy/$name.sample.toml" "$tree/usr/share/doc/$package/"
  [ "$name" = collector ] || install -m 644 "$root"/deploy/systemd/campus-agent-upgrade.* "$tree/lib/systemd/system/"
  [ "$name" = collector ] || install -m 644 "$root/deploy/terms.sample.toml" "$tree/usr/share/doc/$package/"
  if [ "$name" = collector ]; then
    # no conffile: postinst puts it in place once, and no upgrade ever asks about what staff changed
    install -D -m 644 "$here/collector/collector.toml" "$tree/usr/share/campus-collector/collector.toml"
    install -m 644 "$root/deploy/systemd/$package@.service" "$tree/lib/systemd/system/"
    install -m 644 "$root"/deploy/nginx*.sample.conf "$tree/usr/share/doc/$package/"
    install -D -m 644 -t "$tree/usr/share/doc/$package/postgres" "$root"/deploy/postgres/*
  fi
  local size
  size=$(du -sk --apparent-size "$tree" | cut -f1)
  sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" "$here/$name/control" >"$tree/DEBIAN/control"
  for script in preinst postinst prerm postrm; do
    sed -e "s/@PACKAGE@/$package/g; s/@VERSION@/$version/g" "$here/$script.sh" >"$tree/DEBIAN/$script"
    chmod 755 "$tree/DEBIAN/$script"
  done
  find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --build --root-owner-group -Zxz "-z$level" "$tree" "$out/${package}_${version}_$arch.deb" >/dev/null
  ls -lh "$out/${package}_${version}_$arch.deb" | awk '{print "   " $5 "  " $9}'
}
for name in "${names[@]}"; do build "$name"; done
