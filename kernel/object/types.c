// The operations of every object type, by its number.
#include "object/aspace.h"
#include "device/block.h"
#include "object/channel.h"
#include "object/event.h"
#include "object/memobj.h"
#include "device/nic.h"
#include "object/object.h"
#include "object/port.h"
#include "object/process.h"
#include "object/revoker.h"
#include "device/serial.h"
#include "object/system.h"
#include "object/thread_object.h"
#include "object/timer.h"

extern const struct object_ops namespace_object_ops;
extern const struct object_ops process_object_ops;
extern const struct object_ops thread_object_ops;
extern const struct object_ops revoker_object_ops;

const struct object_ops *const object_ops[OBJ_COUNT] = {
    [OBJ_NAMESPACE] = &namespace_object_ops,
    [OBJ_PROCESS] = &process_object_ops,
    [OBJ_THREAD] = &thread_object_ops,
    [OBJ_ASPACE] = &aspace_object_ops,
    [OBJ_MEMOBJ] = &memobj_object_ops,
    [OBJ_CHANNEL] = &channel_object_ops,
    [OBJ_QUEUE] = &channel_object_ops,
    [OBJ_PORT] = &port_object_ops,
    [OBJ_TIMER] = &timer_object_ops,
    [OBJ_EVENT] = &event_object_ops,
    [OBJ_REVOKER] = &revoker_object_ops,
    [OBJ_BLOCK] = &block_object_ops,
    [OBJ_NIC] = &nic_object_ops,
    [OBJ_SERIAL] = &serial_object_ops,
    [OBJ_SYSTEM] = &system_object_ops,
};
