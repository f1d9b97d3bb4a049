#include "lib/log_ring.h"

const struct log_record *log_page_next(const u8 *page, u64 *position) {
    u64 at = log_position_next(*position);
    u32 place = (u32)(at % PAGE_SIZE);
    if (log_page_start(at) != log_page_start(*position)) return NULL;
    const struct log_record *record = (const struct log_record *)(page + place);
    u32 room = PAGE_SIZE - place - (u32)sizeof(*record);
    if (record->position != at || record->size_bytes > room || record->stream < LOG_STDOUT ||
        record->stream > LOG_SYSTEM)
        return NULL;
    *position = log_position_next(at + sizeof(*record) + record->size_bytes);
    return record;
}
