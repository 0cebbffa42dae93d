#!/usr/bin/env bash
# Make the virtual environment in the project's folder with any Python >= 3.11 that can; install the project into it.
set -euo pipefail
folder=${1:?the environment\'s folder}

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
find_python() {
  for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if command -v "$candidate" >/dev/null && usable "$candidate"; then command -v "$candidate"; return 0; fi
  done
  return 1
}

if ! python=$(find_python); then
  as_root=(); [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "No Python >= 3.11 with venv found: installing python3 and python3-venv."
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install python3 python3-venv >/dev/null
  python=$(find_python) || { echo "Python 3.11 or newer with venv is needed." >&2; exit 1; }
fi
if ! [ -x "$folder/bin/python" ] || ! "$folder/bin/python" -c 'import pip' 2>/dev/null; then
  echo "Virtual environment: $folder ($("$python" --version))"
  "$python" -m venv --clear "$folder"
fi
echo "Installing the project and its tools into $folder ..."
"$folder/bin/python" -m pip install --quiet --no-cache-dir --editable '.[agent,collector,postgres,archive,cluster,dev]'
