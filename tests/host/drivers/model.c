// The model of a virtio device (see model.h).
#include "model.h"

#include "drivers/virtqueue_rings.h"
#include "lib/string.h"

enum : u64 {
    BAR_MSIX = 0xfebd0000,
    BAR_REGISTERS = 0xfe000000,
    BAR_SIZE = 0x4000,
    BLOCK_COMMON = 0x0,
    BLOCK_CONFIG = 0x1000,
    BLOCK_NOTIFY = 0x2000,
    BLOCK_SIZE = 0x1000,
};

struct model model;
static u8 config[4096];
static u8 msix[BAR_SIZE];
static u32 device_select, driver_select, queue_select, config_vector = 0xffff;
static u64 driver_features;
static u32 random_state = 1;

u32 model_random(void) {
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

void model_random_seed(u32 seed) { random_state = seed; }

// ---- Configuration space -------------------------------------------------------------------------

static void put(u32 offset, u32 width, u32 value) { memcpy(config + offset, &value, width); }

static void capability_put(u32 offset, u32 next, u32 kind, u32 block, u32 size) {
    put(offset, 4, 0x09 | next << 8 | 20 << 16 | kind << 24);
    put(offset + 4, 4, 4); // BAR 4
    put(offset + 8, 4, block + model.caps_shift);
    put(offset + 12, 4, size);
    put(offset + 16, 4, model.notify_multiplier);
}

static void config_fill(void) {
    put(0x00, 4, 0x1af4 | (0x1040u + model.type) << 16);
    put(0x06, 2, 1 << 4);
    put(0x14, 4, BAR_MSIX);
    put(0x20, 4, model.bar_unset ? 4 : BAR_REGISTERS | 4); // 64 bits wide
    put(0x34, 1, 0x40);
    put(0x40, 4, 0x11 | 0x50 << 8 | (model.msix_entries - 1) << 16);
    put(0x44, 4, 1); // table in BAR 1
    capability_put(0x50, 0x64, 1, BLOCK_COMMON, BLOCK_SIZE);
    capability_put(0x64, 0x78, 2, BLOCK_NOTIFY, BLOCK_SIZE);
    capability_put(0x78, model.capabilities_loop ? 0x50 : 0, 4, BLOCK_CONFIG, BLOCK_SIZE);
}

static u32 config_read(u64 offset, u32 width) {
    u32 bus = (u32)(offset >> 20), value = ~0u;
    u32 function = offset >> 12 & 0xff, place = offset & 0xfff;
    if (bus == 0 && function == 8 && model.behind_bridge) { // a bridge to bus 1
        u8 bridge[64] = {0x36, 0x1b, 0x0c, 0x00, [0x0e] = 1, [0x19] = 1};
        memcpy(&value, bridge + place, width);
    } else if (bus == model.behind_bridge && function == 16) {
        if (config[0] == 0) config_fill();
        memcpy(&value, config + place, width);
    }
    return value;
}

static void config_write(u64 offset, u32 width, u32 value) {
    u32 place = offset & 0xfff;
    bool is_bar = place >= 0x10 && place < 0x28;
    CHECK(!is_bar || !(config[4] & 2)); // no sizing while it answers there
    if (is_bar && value == ~0u)
        value = place == 0x24 ? ~0u : (u32) ~(BAR_SIZE - 1) | (place == 0x20 ? 4 : 0);
    put(place, width, value);
}

// ---- Registers -----------------------------------------------------------------------------------

static struct model_queue *queue_selected(void) {
    CHECK(queue_select < MODEL_QUEUES);
    return &model.queue[queue_select];
}

static u32 common_read(u32 offset) {
    switch (offset) {
    case 4: return device_select < 2 ? (u32)(model.features >> 32 * device_select) : 0;
    case 16: return config_vector;
    case 20: return model.status;
    case 21: return 0;
    case 24: return queue_selected()->size;
    case 26: return queue_selected()->vector;
    case 30: return model.notify_offset[queue_select];
    default: model_fail(__FILE__, (int)offset, "read of a common register");
    }
}

static void reset(void) {
    model.resets++;
    memset(model.queue, 0, sizeof(model.queue));
    for (u32 i = 0; i < MODEL_QUEUES; i++)
        model.queue[i].size = model.queue_size_max;
    driver_features = 0;
}

static void status_write(u32 value) {
    if (value == 0) reset();
    if ((value & 8) && !(model.status & 8))
        if (model.features_refused || !(driver_features >> 32 & 1) ||
            (driver_features & ~model.features))
            value &= ~8u;
    CHECK(!(value & 4) || (value & 8));
    model.status = model.reset_stuck ? 1 : (u8)value;
}

static void address_write(u32 offset, u32 value) {
    struct model_queue *queue = queue_selected();
    u64 *address[] = {&queue->descriptors, &queue->available, &queue->used};
    u32 shift = offset & 4 ? 32 : 0;
    *address[(offset - 32) / 8] |= (u64)value << shift;
}

static void common_write(u32 offset, u32 value) {
    switch (offset) {
    case 0: device_select = value; break;
    case 8: driver_select = value; break;
    case 12: driver_features |= (u64)value << 32 * driver_select; break;
    case 16: config_vector = value; break;
    case 20: status_write(value); break;
    case 22: queue_select = value; break;
    case 24: queue_selected()->size = (u16)value; break;
    case 26: queue_selected()->vector = value < model.msix_entries ? (u16)value : 0xffff; break;
    case 28: queue_selected()->enabled = (u16)value; break;
    default: CHECK(offset >= 32 && offset < 56); address_write(offset, value);
    }
}

static u32 device_config_read(u32 offset, u32 width) {
    u64 sectors = MODEL_DISK_SECTORS;
    u8 bytes[24] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56, [12] = 126};
    u32 value = 0;
    if (model.type == VIRTIO_TYPE_BLOCK) memcpy(bytes, &sectors, 8);
    memcpy(&value, bytes + offset, width);
    return value;
}

static void notify_write(u32 offset, u32 width, u32 value) {
    CHECK(width == 2 && value < MODEL_QUEUES && (model.status & 4));
    CHECK(offset == model.notify_offset[value] * model.notify_multiplier);
    model.notifies++;
}

u32 model_register_read(const void *address, u32 width) {
    u64 paddr = (u64)address - MODEL_MMIO_BASE;
    if (paddr >= MODEL_ECAM && paddr < MODEL_ECAM + MIB(256))
        return config_read(paddr - MODEL_ECAM, width);
    CHECK(config[4] & 2);
    u32 offset = (u32)(paddr - BAR_REGISTERS - model.caps_shift);
    if (offset / BLOCK_SIZE == BLOCK_COMMON / BLOCK_SIZE) return common_read(offset);
    CHECK(offset / BLOCK_SIZE == BLOCK_CONFIG / BLOCK_SIZE);
    return device_config_read(offset - BLOCK_CONFIG, width);
}

void model_register_write(void *address, u32 width, u32 value) {
    u64 paddr = (u64)address - MODEL_MMIO_BASE;
    if (paddr >= MODEL_ECAM && paddr < MODEL_ECAM + MIB(256))
        return config_write(paddr - MODEL_ECAM, width, value);
    CHECK(config[4] & 2);
    if (paddr >= BAR_MSIX && paddr + width <= BAR_MSIX + model.msix_entries * 16) {
        memcpy(msix + (paddr - BAR_MSIX), &value, width);
        return;
    }
    u32 offset = (u32)(paddr - BAR_REGISTERS - model.caps_shift);
    if (offset / BLOCK_SIZE == BLOCK_COMMON / BLOCK_SIZE) return common_write(offset, value);
    CHECK(offset / BLOCK_SIZE == BLOCK_NOTIFY / BLOCK_SIZE);
    notify_write(offset - BLOCK_NOTIFY, width, value);
}

// ---- Queues --------------------------------------------------------------------------------------

// A chain, gathered into one range that is read and one that is written.
struct chain {
    u16 head;
    u8 in[70000];
    u32 in_size;
    u32 out_size;
    struct virtqueue_descriptor out[VIRTQUEUE_SIZE_MAX];
    u32 out_count;
};

static u8 *ram(u64 paddr, u64 size) {
    CHECK(paddr >= PAGE_SIZE && size <= PAGE_SIZE && paddr + size <= sizeof(model_ram));
    return model_ram + paddr;
}

static void chain_read(const struct model_queue *queue, struct chain *chain) {
    struct virtqueue_descriptor *table =
        (void *)ram(queue->descriptors, queue->size * sizeof(struct virtqueue_descriptor));
    u16 *available = (u16 *)ram(queue->available, 4 + 2ul * queue->size);
    chain->head = available[2 + queue->seen % queue->size];
    chain->in_size = chain->out_size = chain->out_count = 0;
    u16 index = chain->head;
    for (u32 i = 0;; i++) {
        CHECK(i < queue->size && index < queue->size);
        struct virtqueue_descriptor here = table[index];
        if (here.flags & 2) {
            ram(here.paddr, here.size);
            chain->out[chain->out_count++] = here;
            chain->out_size += here.size;
        } else {
            CHECK(chain->out_count == 0); // what is read comes first
            memcpy(chain->in + chain->in_size, ram(here.paddr, here.size), here.size);
            chain->in_size += here.size;
        }
        if (!(here.flags & 1)) return;
        index = here.next;
    }
}

// Writes into the chain's writable part at an offset.
static void chain_write(const struct chain *chain, u32 offset, const u8 *data, u32 size) {
    for (u32 i = 0; i < chain->out_count && size > 0; i++) {
        const struct virtqueue_descriptor *out = &chain->out[i];
        if (offset >= out->size) {
            offset -= out->size;
            continue;
        }
        u32 part = min(size, out->size - offset);
        memcpy(ram(out->paddr, out->size) + offset, data, part);
        data += part;
        size -= part;
        offset = 0;
    }
    CHECK(size == 0);
}

static u32 disk_do(const struct chain *chain) {
    u32 type;
    u64 sector;
    memcpy(&type, chain->in, 4);
    memcpy(&sector, chain->in + 8, 8);
    u8 status = model.evil == EVIL_STATUS ? 1 : 0;
    CHECK(chain->in_size >= 16 && chain->out_size >= 1);
    if (type == 0) {
        CHECK(sector * 512 + chain->out_size - 1 <= sizeof(model.disk));
        chain_write(chain, 0, model.disk + sector * 512, chain->out_size - 1);
    } else if (type == 1) {
        CHECK(sector * 512 + chain->in_size - 16 <= sizeof(model.disk) && chain->out_size == 1);
        memcpy(model.disk + sector * 512, chain->in + 16, chain->in_size - 16);
    } else {
        CHECK(type == 4 && chain->in_size == 16 && chain->out_size == 1);
        status = model.features & 1 << 9 ? status : 2;
    }
    chain_write(chain, chain->out_size - 1, &status, 1);
    return chain->out_size;
}

static u32 net_do(u32 index, const struct chain *chain) {
    if (index == 1) {
        CHECK(chain->in_size > 12 && chain->out_size == 0);
        model.sent_size = chain->in_size - 12;
        memcpy(model.sent, chain->in + 12, model.sent_size);
        model.sent_count++;
        return 0;
    }
    u8 header[12] = {[10] = 1};
    chain_write(chain, 0, header, 12);
    chain_write(chain, 12, model.incoming, model.incoming_size);
    u32 size = 12 + model.incoming_size;
    model.incoming_size = 0;
    return size;
}

static u32 rng_do(const struct chain *chain) {
    u8 bytes[4096];
    for (u32 i = 0; i < chain->out_size; i++)
        bytes[i] = (u8)model_random();
    chain_write(chain, 0, bytes, chain->out_size);
    return chain->out_size;
}

static u32 chain_do(u32 index, const struct chain *chain) {
    switch (model.type) {
    case VIRTIO_TYPE_BLOCK: return disk_do(chain);
    case VIRTIO_TYPE_NET: return net_do(index, chain);
    default: return rng_do(chain);
    }
}

static void used_garbage(const struct model_queue *queue) {
    u8 *used = ram(queue->used, 4 + 8ul * queue->size);
    for (u32 i = 0; i < 4 + 8u * queue->size; i++)
        if (model_random() % 4 == 0)
            used[i] = (u8)(model_random() % 8 ? model_random() % 4 : model_random());
}

static void used_push(const struct model_queue *queue, u32 id, u32 size, u16 advance) {
    struct virtqueue_used *ring = (void *)ram(queue->used + 4, 8ul * queue->size);
    u16 *index = (u16 *)ram(queue->used, 4) + 1;
    ring[*index % queue->size] = (struct virtqueue_used){id, size};
    *index += advance;
}

static void chain_finish(struct model_queue *queue, const struct chain *chain, u32 size) {
    u32 id = chain->head;
    u16 advance = 1;
    switch (model.evil) {
    case EVIL_ID_OUT_OF_RANGE: id = queue->size + model_random() % 3; break;
    case EVIL_ID_NOT_IN_FLIGHT: id = (id + 40) % queue->size; break;
    case EVIL_ID_TWICE: used_push(queue, id, size, 1); break;
    case EVIL_LENGTH: size = chain->out_size + 1; break;
    case EVIL_LENGTH_SHORT: size = 0; break;
    case EVIL_INDEX_JUMP: advance = queue->size + 1; break;
    case EVIL_INDEX_BACK: advance = (u16)-1; break;
    case EVIL_GARBAGE: used_garbage(queue); break;
    default: break;
    }
    used_push(queue, id, size, advance);
    queue->interrupt = !(*(u16 *)ram(queue->available, 2) & 1);
}

static void interrupt_deliver(struct model_queue *queue) {
    u32 control, data;
    if (!queue->interrupt || queue->vector == 0xffff) return;
    queue->interrupt = 0;
    memcpy(&data, msix + queue->vector * 16 + 8, 4);
    memcpy(&control, msix + queue->vector * 16 + 12, 4);
    CHECK((config[0x43] & 0xc0) == 0x80 && !(control & 1) && (config[4] & 4) && (config[5] & 4));
    model_interrupt(data);
}

static u32 queue_run(u32 index) {
    static struct chain chain;
    struct model_queue *queue = &model.queue[index];
    u32 count = 0;
    bool receives = model.type == VIRTIO_TYPE_NET && index == 0;
    while (queue->enabled && (model.status & 4) &&
           *((u16 *)ram(queue->available, 4) + 1) != queue->seen && !model.hold) {
        if (receives && model.incoming_size == 0) break;
        chain_read(queue, &chain);
        queue->seen++;
        chain_finish(queue, &chain, chain_do(index, &chain));
        count++;
    }
    return count;
}

u32 model_run(void) {
    u32 count = 0;
    for (u32 i = 0; i < MODEL_QUEUES; i++) {
        count += queue_run(i);
        interrupt_deliver(&model.queue[i]);
    }
    return count;
}

void model_start(u16 type, u64 features) {
    model.type = type;
    model.features = features | VIRTIO_FEATURE_VERSION_1;
    model.queue_size_max = 256;
    model.notify_multiplier = 4;
    model.notify_offset[1] = 1;
    model.msix_entries = 3;
    for (u32 i = 0; i < sizeof(model.disk); i++)
        model.disk[i] = (u8)(i * 7 + i / 512);
}
