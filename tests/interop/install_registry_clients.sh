#!/bin/sh
# Installs what tests/interop/registry needs, from Debian's packages: clients that pull and push container
# images, a registry, LXD and, where backports have it, Incus. Nothing is started. Run as root.
set -eu
if command -v skopeo >/dev/null 2>&1 && [ -x /usr/sbin/dockerd ] &&
  command -v containerd >/dev/null 2>&1 && command -v podman >/dev/null 2>&1 &&
  command -v buildah >/dev/null 2>&1 && command -v docker-registry >/dev/null 2>&1 &&
  command -v lxd >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "skipped: installing container clients needs root" >&2
  exit 1
fi
# The packages would start their daemons at once; policy-rc.d is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
parts=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  parts=$policy
fi
backports=/etc/apt/sources.list.d/seedmint-backports.list
trap 'rm -f $parts "$backports"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends skopeo podman runc buildah netavark conmon containerd \
  docker.io docker-registry golang-github-containers-common iproute2 iptables nftables openssl \
  ca-certificates curl dnsmasq-base
# Not every release of Debian has these two; the suite says which are missing.
apt-get install -y -qq --no-install-recommends lxd || true
mirror=$(sed -n 's/^URIs: *//p; s/^deb  *\(http[^ ]*\).*/\1/p' /etc/apt/sources.list.d/* \
  /etc/apt/sources.list 2>/dev/null | head -n 1)
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
if [ "$release" = bookworm ] && [ -n "$mirror" ]; then
  echo "deb $mirror bookworm-backports main" >"$backports"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends incus-base/bookworm-backports || true
fi
