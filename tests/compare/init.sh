#!/bin/sh
# The first process of the Linux guest: for each file of /scripts and /terminal a fresh copy of the
# image in memory, with what a container has mounted, and namespaces of its own; in these the driver
# is the first process and leads a session.
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2>/dev/null
stty raw </dev/console
mkdir /dev-image /run-image
mkdir /dev-image/pts /dev-image/shm
mknod -m 666 /dev-image/null c 1 3
mknod -m 666 /dev-image/zero c 1 5
mknod -m 666 /dev-image/full c 1 7
mknod -m 666 /dev-image/random c 1 8
mknod -m 666 /dev-image/urandom c 1 9
mknod -m 666 /dev-image/tty c 5 0
mknod -m 600 /dev-image/console c 5 1
ln -s pts/ptmx /dev-image/ptmx
ln -s /proc/self/fd /dev-image/fd
ln -s /proc/self/fd/0 /dev-image/stdin
ln -s /proc/self/fd/1 /dev-image/stdout
ln -s /proc/self/fd/2 /dev-image/stderr
root=/run-image
# The shell is the image's own: a name without a folder would be init's busybox once more. The next
# process after the first is 2, as if the first had mounted /proc by itself.
first="mount -t proc proc $root/proc; echo 1 >$root/proc/sys/kernel/ns_last_pid"
first="$first; exec chroot $root /bin/sh /driver \"\$@\""
for file in /scripts/* /terminal/*; do
    [ -f $file ] || continue
    mount -t tmpfs -o mode=755 root $root
    cp -a /image/. $root/
    mount -t tmpfs -o mode=755 dev $root/dev
    cp -a /dev-image/. $root/dev/
    mount -t devpts -o newinstance,ptmxmode=666 devpts $root/dev/pts
    case $file in
        /terminal/*) outside="/run-terminal $root/dev/pts/ptmx" option=-c;;
        *) outside= option=;;
    esac
    $outside /bin/unshare -m -p -u -i -f \
        setsid $option sh -c "$first" sh "${file##*/}" $(cat /limit) "$(cat $file)" </dev/null
    umount $root/dev/pts $root/dev $root
done
echo "@@@ end"
poweroff -f
