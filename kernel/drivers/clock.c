// Time: the time-stamp counter, taken to run at one rate on all CPUs; its rate from CPUID where the
// CPU or hypervisor says it, else measured against the ACPI power-management timer, together with
// the local APIC timer's where that has no TSC-deadline mode.
#include "drivers/clock.h"

#include "arch/arch.h"
#include "drivers/acpi.h"
#include "drivers/apic.h"
#include "drivers/cmos.h"
#include "lib/print.h"
#include "x86.h"

enum : u64 { PM_TIMER_HZ = 3579545, CALIBRATION_TICKS = PM_TIMER_HZ / 1000, NS_PER_S = 1000000000 };
enum : u32 { PM_TIMER_MASK = 0xffffff, MSR_TSC_DEADLINE = 0x6e0 };
// Later than this is as good as never, and far from where scale() overflows.
enum : u64 { DEADLINE_MAX_NS = 1ul << 60 };

// ns = tsc × mult >> 32, and so on.
static u64 tsc_base;
static u64 ns_per_tsc;
static u64 tsc_per_ns;
static u64 apic_per_ns;
static u32 deadline_mode;
static u64 wall_s;
static u64 deadlines_ns[MAX_CPUS];

static u32 pm_start;
static u64 tsc_start;

static u64 scale(u64 value, u64 multiplier) {
    return (u64)((unsigned __int128)value * multiplier >> 32);
}

static u64 ratio(u64 dividend, u64 divisor) {
    // (dividend << 32) / divisor without 128-bit division.
    u64 whole = dividend / divisor;
    u64 rest = dividend % divisor;
    return whole << 32 | (rest << 32) / divisor;
}

// The rate by CPUID: the hypervisor's leaf, then the crystal's. 0: not told.
static u64 tsc_hz_told(void) {
    enum { HYPERVISOR = 1u << 31, LEAF_HYPERVISOR = 0x40000000, LEAF_CRYSTAL = 0x15 };
    if (cpuid(1, 0).ecx & HYPERVISOR && cpuid(LEAF_HYPERVISOR, 0).eax >= LEAF_HYPERVISOR + 0x10)
        return (u64)cpuid(LEAF_HYPERVISOR + 0x10, 0).eax * 1000;
    if (cpuid(0, 0).eax < LEAF_CRYSTAL) return 0;
    struct cpuid crystal = cpuid(LEAF_CRYSTAL, 0);
    return crystal.eax && crystal.ebx ? (u64)crystal.ecx * crystal.ebx / crystal.eax : 0;
}

void clock_init(void) {
    enum { CPUID_TSC_DEADLINE = 1 << 24 };
    tsc_base = tsc_read();
    deadline_mode = cpuid(1, 0).ecx & CPUID_TSC_DEADLINE ? 1 : 0;
    apic_timer_setup(APIC_TIMER_ONE_SHOT);
    if (acpi.pm_timer_port == 0) return;
    pm_start = arch_port_read32(acpi.pm_timer_port);
    tsc_start = tsc_read();
    apic_timer_start(~0u);
}

static u64 calibrate(void) {
    if (acpi.pm_timer_port == 0) panic("neither CPUID nor an ACPI timer tells the time");
    u32 ticks;
    do {
        ticks = (arch_port_read32(acpi.pm_timer_port) - pm_start) & PM_TIMER_MASK;
    } while (ticks < CALIBRATION_TICKS);
    u64 tsc = tsc_read() - tsc_start;
    u64 apic = ~0u - apic_timer_count();
    u64 ns = ticks * NS_PER_S / PM_TIMER_HZ;
    apic_per_ns = ratio(apic, ns);
    return tsc * PM_TIMER_HZ / ticks;
}

void clock_finish(void) {
    u64 hz = tsc_hz_told();
    if (hz == 0 || !deadline_mode) {
        u64 measured = calibrate();
        hz = hz ? hz : measured;
    }
    wall_s = cmos_seconds();
    ns_per_tsc = ratio(NS_PER_S, hz);
    tsc_per_ns = ratio(hz, NS_PER_S);
    clock_init_cpu();
}

void clock_init_cpu(void) {
    apic_timer_setup(deadline_mode ? APIC_TIMER_DEADLINE : APIC_TIMER_ONE_SHOT);
    arch_timer_set_ns(ARCH_TIMER_OFF);
}

u64 arch_time_ns(void) { return scale(tsc_read() - tsc_base, ns_per_tsc); }

u64 arch_boot_wall_s(void) { return wall_s; }

void arch_time_scale(u64 *base, u64 *multiplier) {
    *base = tsc_base;
    *multiplier = ns_per_tsc;
}

static void deadline_set(u64 deadline_ns) {
    u64 tsc = deadline_ns == ARCH_TIMER_OFF
                  ? 0
                  : tsc_base + scale(min(deadline_ns, DEADLINE_MAX_NS), tsc_per_ns);
    msr_write(MSR_TSC_DEADLINE, tsc);
}

static void one_shot_set(u64 deadline_ns) {
    u64 count = 0;
    if (deadline_ns != ARCH_TIMER_OFF) {
        u64 now_ns = arch_time_ns();
        u64 wait_ns = deadline_ns > now_ns ? min(deadline_ns - now_ns, NS_PER_S) : 0;
        count = min(scale(wait_ns, apic_per_ns) + 1, ~0u);
    }
    apic_timer_start((u32)count);
}

void arch_timer_set_ns(u64 deadline_ns) {
    deadlines_ns[arch_cpu_id()] = deadline_ns;
    if (deadline_mode)
        deadline_set(deadline_ns);
    else
        one_shot_set(deadline_ns);
}

// One that has passed has its interrupt on the way, which sets the next.
void arch_timer_sooner_ns(u64 deadline_ns) {
    if (deadline_ns < deadlines_ns[arch_cpu_id()]) arch_timer_set_ns(deadline_ns);
}

void clock_interrupt(void) {
    u64 deadline_ns = deadlines_ns[arch_cpu_id()];
    if (arch_time_ns() >= deadline_ns)
        timer_interrupt();
    else
        arch_timer_set_ns(deadline_ns); // further away than the hardware can count
}
