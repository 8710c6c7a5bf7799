#!/bin/sh
# Installs what tests/interop/nutshell needs on Debian and Ubuntu: Python with virtual environments; pip
# then installs nutshell itself. Run as root.
set -eu
if python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "skipped: installing python3-venv needs root" >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
