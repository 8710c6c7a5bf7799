#!/bin/sh
# make_host.sh DIR PORT: a host of its own, as far as files go: this machine's, and over them a layer
# that is forgotten with the mount namespace that this must be run in. Serves SSH on loopback.
set -eu
dir=$1 port=$2 root=$1/root
mount --make-rprivate /
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/upper" "$dir/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
for name in proc sys dev; do mount --rbind "/$name" "$root/$name"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/var/lib"
mkdir -p "$root/run/sshd" "$root/run/systemd/system" "$root/run/lab" "$root/opt" "$root/root/.ssh"
rm -rf "$root/opt/seedmint" "$root/usr/local/bin/seedmint" "$root/etc/ssh/sshd_config.d"
rm -f "$root/etc/systemd/system/seedmint.service"
tar -xf - -C "$root"
chown -R 0:0 "$root/root/.ssh" "$root/lab"
chmod 0700 "$root/root/.ssh"
chmod 0600 "$root/root/.ssh/authorized_keys" "$root/lab/host_key"
chmod 0755 "$root" "$root/root" "$root/usr/local/sbin/systemctl"
echo 'tester:x:4242:4242::/home/tester:/bin/sh' >> "$root/etc/passwd"
mkdir -p "$root/home/tester/.ssh"
cp "$root/root/.ssh/authorized_keys" "$root/home/tester/.ssh/"
chown -R 4242:4242 "$root/home/tester"
chmod 0755 "$root/home/tester"
exec chroot "$root" /usr/sbin/sshd -D -e -p "$port" -o ListenAddress=127.0.0.1 -f /lab/sshd_config
