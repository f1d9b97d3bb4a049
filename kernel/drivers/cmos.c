// The calendar clock of PCs (MC146818): read once, at boot.
#include "drivers/cmos.h"
#include "arch/arch.h"

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71 };

static u32 cmos_read(u32 index) {
    arch_port_write8(CMOS_INDEX, (u8)index);
    return arch_port_read8(CMOS_DATA);
}

// Seconds since 1970, by the days-from-civil formula (H. Hinnant). The clock may be BCD.
u64 cmos_seconds(void) {
    enum { STATUS_A = 10, UPDATING = 0x80, STATUS_B = 11, BINARY = 4, POLLS_MAX = 10000 };
    static const u8 index[] = {0, 2, 4, 7, 8, 9}; // s, min, h, day, month, year
    u32 t[ARRAY_SIZE(index)];
    // An update takes 2 ms at most; a machine without the clock says "updating" for ever.
    for (u32 i = 0; cmos_read(STATUS_A) & UPDATING; i++) {
        if (i == POLLS_MAX) return 0;
        arch_spin_poll();
    }
    u32 binary = cmos_read(STATUS_B) & BINARY;
    for (u32 i = 0; i < ARRAY_SIZE(index); i++) {
        u32 value = cmos_read(index[i]);
        t[i] = binary ? value : (value >> 4) * 10 + (value & 15);
    }
    u64 year = 2000 + t[5] - (t[4] <= 2 ? 1 : 0);
    u64 era_year = year % 400;
    u64 year_day = (153 * (t[4] + (t[4] > 2 ? -3u : 9)) + 2) / 5 + t[3] - 1;
    u64 days = year / 400 * 146097 + era_year * 365 + era_year / 4 - era_year / 100 + year_day;
    return ((days - 719468) * 24 + t[2]) * 3600 + t[1] * 60 + t[0];
}
