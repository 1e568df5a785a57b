#!/usr/bin/env bash
# The node's view of the file system, in a mount namespace that this process holds open: containerd and the kubelet enter it and
# find /run, /var/lib and /var/log of their own. All their mounts go when the last process in it goes. Called with the state folder.
set -euo pipefail
node=$1/node

mount --make-rshared /
mkdir -p "$node"/{run,lib,log,sysctl}

# The kubelet tunes kernel settings of the whole machine; here it tunes copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  [[ -e /proc/sys/$setting ]] || continue
  copy=$node/sysctl/${setting//\//-}
  cat "/proc/sys/$setting" >"$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done

mount --bind "$node/log" /var/log
mount --bind "$node/lib" /var/lib
mount --bind "$node/run" /run
touch /run/ready
exec sleep infinity
