# `sh /driver NAME SECONDS SCRIPT`, the first process of a container: runs the script and writes one
# record to stdout: a line `@@@ NAME STATUS BYTES BYTES BYTES`, then what the script wrote to stdout,
# to stderr, and the files that are there at its end. After SECONDS it is killed (status 137), and a
# line behind its stderr says so.
name=$1
seconds=$2
mkdir /dev/.compare
cd /tmp
read begin rest </proc/uptime
env -i PATH=/bin HOME=/root TZ=UTC0 LC_ALL=C timeout -s KILL $seconds sh -c "$3" sh \
    </dev/null >/dev/.compare/out 2>/dev/.compare/err
status=$?
read end rest </proc/uptime
[ $status != 137 ] || [ $((${end%.*} - ${begin%.*})) -lt $seconds ] ||
    echo '@@@ ran out of time' >>/dev/.compare/err

# Sizes of directories are the file system's own affair.
below() {
    find /tmp -xdev "$@"
    find / -xdev \( -path /tmp -o -path /bin -o -path /dev -o -path /proc -o -path /driver \
        -o -path /suite \) -prune -o "$@"
}

# /bin is big: its names, types, modes and owners as a digest.
programs() {
    echo "/bin: $(stat -c '%N %F %a %u:%g' /bin /bin/* | md5sum)"
}

{
    below ! -type d -exec stat -c '%N %F %a %u:%g %h %s' {} +
    below -type d -exec stat -c '%N %F %a %u:%g %h' {} +
    below -type f -size -40000 -exec md5sum {} +
    programs
} >/dev/.compare/tree 2>&1

cd /dev/.compare
echo "@@@ $name $status" $(stat -c %s out err tree)
cat out err tree
