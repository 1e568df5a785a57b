#!/usr/bin/env bash
# A host's pid 1: keeps the agent running, as systemd's Restart=always would, and reaps whatever loses its parent.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /
until [[ -e /mnt/is-cabled ]]; do sleep 0.02; done
mkdir -p /var/log
touch /mnt/is-up

while true; do
  if [[ -e /run/agent-is-off ]]; then
    sleep 0.1
    continue
  fi
  setsid /usr/local/bin/sluice-agent run --config /etc/sluice-agent/config.yaml >>/var/log/sluice-agent.log 2>&1 &
  echo $! >/run/agent.pid
  wait $!
  sleep 0.1
done
