#!/bin/sh
# The first process of the Linux guest in which containers attack one another. The root of an
# initramfs can't be pivoted from, which crun does: so all goes into a file system in memory first.
# Then: `confined`, which says what holds it; where there are spinners, they start, and stay. The victim
# runs alone, twice (the first does not count; not on two CPUs), and beside each other container of
# /bundles.
export PATH=/bin:/usr/bin
if [ -d /new ]; then
    mount -t tmpfs -o mode=755 root /new
    for place in bin usr lib lib64 proc sys run image bundles modules disk; do
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
for module in /modules/*; do
    insmod $module
done
mount -t ext4 /dev/vda /disk
# Of processes that no container has, too.
mkdir /sys/fs/cgroup/system
echo $$ >/sys/fs/cgroup/system/cgroup.procs
echo "+cpu +memory +pids +io" >/sys/fs/cgroup/cgroup.subtree_control

container_make() { # NAME
    mkdir -p /roots/$1 /disk/$1
    cp -a /image/. /roots/$1/
    chown -R $(cat /bundles/$1/owner):$(cat /bundles/$1/owner) /roots/$1 /disk/$1
}

container_run() { # NAME
    crun --cgroup-manager=cgroupfs run -b /bundles/$1 $1
}

# What it says is read by somebody and thrown away: a log that does not fill memory.
container_start() { # NAME
    container_make $1
    container_run $1 2>&1 </dev/null | cat >/dev/null &
}

victim_run() { # ATTACK
    container_run victim
    echo "@@@ victim beside $1: status $?"
}

container_make victim
container_make confined
container_run confined
for spinner in /bundles/spinner*; do
    [ -d $spinner ] && container_start ${spinner##*/}
done
if [ ! -d /bundles/spinner0 ]; then
    victim_run nothing
    victim_run nothing
fi
for bundle in /bundles/*; do
    name=${bundle##*/}
    case $name in victim|confined|spinner*) continue;; esac
    container_start $name
    attack=$!
    sleep 0.2
    victim_run $name
    crun state $name | grep '"status": "running"' >/dev/null || echo "@@@ $name does not run"
    crun kill $name KILL
    wait $attack
    crun delete -f $name 2>/dev/null
    rm -r /roots/$name
done
echo "@@@ end"
poweroff -f
