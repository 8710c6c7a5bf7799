#!/bin/sh
# Installs what tests/interop/engines needs, from Debian's packages: docker, podman, LXD and, where
# backports have it, Incus, with what leases on them need. Nothing is started. Run as root.
set -eu
if [ "$(id -u)" != 0 ]; then
  echo "skipped: installing container engines needs root" >&2
  exit 1
fi
here=$(dirname "$0")
sh "$here/install_runc.sh"
sh "$here/install_registry_clients.sh"
# Podman's containers need a supervisor; docker's users' namespace needs the tools that map users.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends conmon uidmap
