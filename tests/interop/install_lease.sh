#!/bin/sh
# Installs what tests/interop/lease needs beyond install_runc.sh on Debian and Ubuntu. Run as root.
set -eu
sh "$(dirname "$0")/install_runc.sh"
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends faketime
