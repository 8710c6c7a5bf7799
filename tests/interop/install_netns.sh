#!/bin/sh
# Installs what tests/e2e/nat_test.ts needs on Debian and Ubuntu. Run as root.
set -eu
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends iproute2 nftables
