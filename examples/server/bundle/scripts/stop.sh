#!/bin/bash
# Ends what an earlier deployment has started. The load balancer sends nothing here any more.
set -u
pid=$(cat /run/shop.pid 2>/dev/null) || { echo "nothing runs"; exit 0; }
kill "$pid" 2>/dev/null
for _ in $(seq 100); do
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
rm -f /run/shop.pid
echo "process $pid ended"
