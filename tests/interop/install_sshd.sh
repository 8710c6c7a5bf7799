#!/bin/sh
# Installs the SSH server that the tests of bootstrap set up hosts through, without starting it, on
# Debian and Ubuntu. Run as root.
set -eu
[ -x /usr/sbin/sshd ] && exit 0
apt-get update -qq
# Maintainer scripts ask this whether a service may be started.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 0755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  openssh-server openssh-client util-linux
