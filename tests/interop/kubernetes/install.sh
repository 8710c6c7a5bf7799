#!/bin/sh
# Installs what tests/interop/kubernetes needs: etcd, containerd and the plain network plugins from Debian's
# packages, and kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy, which Debian
# has as source only, built into the folder that is given (some ten minutes on two cores). What is there is
# used again. Nothing is started. Run as root.
#
#     sh tests/interop/kubernetes/install.sh target/interop/kubernetes
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
programs="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy"
is_built=yes
for program in $programs; do [ -x "$folder/bin/$program" ] || is_built=no; done
if [ $is_built = yes ] && [ -x /usr/bin/etcd ] && [ -x /usr/bin/containerd ] &&
  [ -x /usr/lib/cni/bridge ] && [ -x /usr/bin/docker-registry ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "skipped: installing the parts of Kubernetes needs root" >&2
  exit 1
fi
# The packages would start their daemons at once; policy-rc.d is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
lists=/etc/apt/sources.list.d
parts="$lists/seedmint-sources.sources $lists/seedmint-sources.list"
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  parts="$parts $policy"
fi
trap 'rm -f $parts' EXIT
trap 'exit 1' INT TERM
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends --no-upgrade etcd-server containerd runc docker-registry \
  containernetworking-plugins iproute2 iptables nftables openssl busybox-static dropbear-bin
[ $is_built = yes ] && exit 0
apt-get install -y -qq --no-install-recommends --no-upgrade golang-1.19-go dpkg-dev make patch rsync
# Sources from where the packages come, with the same keys.
if [ -e "$lists/debian.sources" ]; then
  sed 's/^Types:.*/Types: deb-src/' "$lists/debian.sources" >"$lists/seedmint-sources.sources"
else
  sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$lists/seedmint-sources.list"
fi
apt-get update -qq
mkdir -p "$folder/source" "$folder/bin"
cd "$folder/source"
apt-get source -qq kubernetes >/dev/null
cd kubernetes-*/
mkdir -p .go/src/k8s.io
ln -sfn ../../.. .go/src/k8s.io/kubernetes
PATH=/usr/lib/go-1.19/bin:$PATH
export PATH GOPATH="$PWD/.go" CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOPROXY=off GOTOOLCHAIN=local
export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=archive
unset GOROOT
targets=
for program in $programs; do targets="$targets cmd/$program"; done
nice -n 15 make WHAT="$targets"
for program in $programs; do cp "_output/local/go/bin/$program" "$folder/bin/"; done
cd "$folder"
# Module caches are read-only, and the tree has links into itself.
chmod -R u+w source
rm -rf source
