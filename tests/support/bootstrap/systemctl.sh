#!/bin/sh
# What bootstrap asks of systemd, for hosts in tests: starts what the unit says, without its protection.
unit=/etc/systemd/system/seedmint.service
echo "$*" >> /run/lab/systemctl.log
case "$1" in
  is-active) [ -s /run/lab/pid ] && kill -0 "$(cat /run/lab/pid)" 2>/dev/null && echo active || echo inactive ;;
  is-enabled) [ -e /run/lab/enabled ] && echo enabled || echo disabled ;;
  enable) : > /run/lab/enabled ;;
  restart)
    if [ -s /run/lab/pid ]; then
      pid=$(cat /run/lab/pid)
      kill "$pid" 2>/dev/null
      while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
    cd "$(sed -n 's/^WorkingDirectory=//p' $unit)" || exit 1
    env -i PATH="$PATH" $(sed -n 's/^Environment=//p' $unit) setsid sh -c \
      'echo $$ > /run/lab/pid; set -f; exec $0 "$@"' \
      $(set -f; sed -n 's/^ExecStart=//p' $unit) </dev/null >/run/lab/node.log 2>&1 &
    ;;
esac
exit 0
