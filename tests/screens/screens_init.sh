#!/bin/sh
# The first process of the Linux guest: on its console again and again a shell, in a fresh copy of
# the image and namespaces of its own, as in a container. The second line takes commands of the
# test, for what a window would do.
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2>/dev/null
dmesg -n 1
stty raw -echo </dev/ttyS1
sh </dev/ttyS1 >/dev/ttyS1 2>&1 &
root=/run-image
mkdir $root
first="mount -t proc proc $root/proc; echo 1 >$root/proc/sys/kernel/ns_last_pid"
first="$first; exec chroot $root env -i PATH=/bin TERM=xterm sh"
while true; do
    mount -t tmpfs -o mode=755 root $root
    cp -a /image/. $root/
    mount -t tmpfs -o mode=755 dev $root/dev
    mkdir $root/dev/pts
    for device in null zero full random urandom tty ptmx ttyS0; do
        cp -a /dev/$device $root/dev/
    done
    mount -t devpts -o newinstance,ptmxmode=666 devpts $root/dev/pts
    stty sane 38400 rows 24 cols 80 </dev/ttyS0
    unshare -m -p -f setsid -c sh -c "$first" </dev/ttyS0 >/dev/ttyS0 2>&1
    echo "the shell has ended" >/dev/ttyS0
    umount $root/dev/pts $root/dev $root
done
