#!/bin/sh
# Installs what leases on runc, and their tests, need on Debian and Ubuntu. Run as root.
set -eu
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  runc dropbear-bin nftables iproute2 e2fsprogs mount util-linux busybox-static openssh-client
