#!/usr/bin/env bash
# A host's boot, as pid 1 in namespaces of its own: the overlay becomes the root, then init takes over. Called with name and folder.
set -euo pipefail
name=$1 dir=$2

hostname "$name"
mount -t overlay -o "lowerdir=/,upperdir=$dir/disk/upper,workdir=$dir/disk/work" "$name" "$dir/root"
mount --bind "$dir/disk" "$dir/root/mnt"
# Of all hosts together, so that it takes none of this one's disk.
mount --bind "$dir/agent" "$dir/root/usr/local/bin/sluice-agent"
mount -t tmpfs -o size=16m,mode=755 run "$dir/root/run"
mount -t tmpfs -o size=64m,mode=1777 tmp "$dir/root/tmp"
mount --rbind /dev "$dir/root/dev"
mount -t proc proc "$dir/root/proc"
install -m 755 "$(dirname "$0")/init.sh" "$dir/root/run/init"
cd "$dir/root"
mkdir -p run/old-root
pivot_root . run/old-root
cd /
umount -l /run/old-root
exec /run/init
