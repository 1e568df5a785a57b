#!/bin/bash
# Starts what Install has put in place, and leaves it running.
set -eu
set -a
. /srv/shop/settings.env
set +a
setsid /srv/shop/bin/web >>/var/log/shop.log 2>&1 </dev/null &
echo $! >/run/shop.pid
echo "version $VERSION started as process $!"
