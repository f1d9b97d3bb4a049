#!/bin/sh
# The first process of the Linux guest in which containers attack one another. The root of an
# initramfs can't be pivoted from, which crun does: so all goes into a file system in memory first.
# Then: `confined`, which says what holds it; the victim alone, twice (the first does not count), and
# beside each other container of /bundles.
export PATH=/bin:/usr/bin
if [ -d /new ]; then
    mount -t tmpfs -o mode=755 root /new
    for place in bin usr lib lib64 proc sys run image bundles; do
        cp -a /$place /new/
    done
    cp /init /new/init
    mkdir /new/dev
    exec switch_root /new /init </dev/console >/dev/console 2>&1
fi
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t devtmpfs dev /dev
mkdir -p /roots /dev/pts
stty raw </dev/console
# Of processes that no container has, too.
mkdir /sys/fs/cgroup/system
echo $$ >/sys/fs/cgroup/system/cgroup.procs
echo "+cpu +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control

container_make() { # NAME
    mkdir -p /roots/$1
    cp -a /image/. /roots/$1/
    chown -R $(cat /bundles/$1/owner):$(cat /bundles/$1/owner) /roots/$1
}

victim_run() { # ATTACK
    crun --cgroup-manager=cgroupfs run -b /bundles/victim victim
    echo "@@@ victim beside $1: status $?"
}

container_make victim
container_make confined
crun --cgroup-manager=cgroupfs run -b /bundles/confined confined
victim_run nothing
victim_run nothing
for bundle in /bundles/*; do
    name=${bundle##*/}
    case $name in victim|confined) continue;; esac
    container_make $name
    # What it says is read by somebody and thrown away: a log that does not fill memory.
    crun --cgroup-manager=cgroupfs run -b $bundle $name 2>&1 </dev/null | cat >/dev/null &
    sleep 0.2
    victim_run $name
    crun state $name | grep '"status": "running"' >/dev/null || echo "@@@ $name does not run"
    crun kill $name KILL
    wait
    crun delete -f $name 2>/dev/null
    rm -r /roots/$name
done
echo "@@@ end"
poweroff -f
