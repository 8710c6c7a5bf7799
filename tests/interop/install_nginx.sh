#!/bin/sh
# Installs nginx and curl from Debian's or Ubuntu's packages, for bench/fetch.ts. Nothing is started.
set -eu
if command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ]; then
  command -v curl >/dev/null 2>&1 && exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "skipped: installing nginx needs root" >&2
  exit 1
fi
# The package would start its server at once; policy-rc.d is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends nginx-light curl openssl ca-certificates
