#!/bin/bash
# Asks the application itself whether it works.
for _ in $(seq 30); do
  /srv/shop/bin/web get http://127.0.0.1:8080/ && exit 0
  sleep 0.1
done
echo "the application gives no good answer" >&2
exit 1
