#!/bin/sh
# build and run one command
cd /work/wt/h7; ./cloister build 2>&1 | tail -30; timeout 90 ./cloister run --timeout ${T:-25} -c "$1"; echo "status $?"; tail -${L:-12} build/kernel.log
