// Each CPU's own: what it must be able to do, control registers, TSS, IDT, and the structures
// of the CPUs that firmware announces. All of it is set up once and never freed.
#include "cpu.h"
#include "lib/print.h"
#include "lib/string.h"

extern u8 boot_stack_top[];
extern u64 gdt[];

static struct arch_cpu cpu_boot = {.cpu.syscall_stack = (u64)boot_stack_top};
struct arch_cpu *cpu_table[MAX_CPUS] = {&cpu_boot};
u32 cpu_running = 1;

static usize vector_size;
static u64 idt[256][2];

u32 arch_cpu_count(void) { return __atomic_load_n(&cpu_running, __ATOMIC_ACQUIRE); }

struct cpu *arch_cpu(u32 id) { return &cpu_table[id]->cpu; }

static const struct {
    u32 leaf;
    char reg;
    u8 bit;
    const char *name;
} features[] = {
    {1, 'd', 25, "SSE"},         {1, 'c', 26, "XSAVE"},
    {7, 'b', 0, "FSGSBASE"},     {7, 'b', 7, "SMEP"},
    {7, 'b', 20, "SMAP"},        {7, 'c', 2, "UMIP"},
    {0x80000001, 'd', 20, "NX"}, {0x80000001, 'd', 11, "SYSCALL"},
};

void cpu_check_features(void) {
    u32 missing = 0;
    for (usize i = 0; i < ARRAY_SIZE(features); i++) {
        struct cpuid id = cpuid(features[i].leaf, 0);
        u32 value = features[i].reg == 'b' ? id.ebx : features[i].reg == 'c' ? id.ecx : id.edx;
        if (value & 1u << features[i].bit) continue;
        klog(LOG_ERROR, "this CPU has no %s, which the kernel needs\n", features[i].name);
        missing++;
    }
    if (missing) panic("the CPU lacks %u features (QEMU: use -cpu max)", missing);
}

void cpu_set_base(struct arch_cpu *cpu) {
    cpu->cpu.self = &cpu->cpu;
    cpu->bit = 1ul << cpu->cpu.id;
    cpu->pmap = &kernel_pmap;
    msr_write(MSR_GS_BASE, (u64)&cpu->cpu);
}

static void cpu_setup_control(void) {
    asm volatile("mov %0, %%cr4" ::"r"((u64)CR4_VALUE) : "memory");
    // x87, SSE, and AVX and AVX-512 where there.
    struct cpuid id = cpuid(0xd, 0);
    u32 vector_features = id.eax & 0xe7;
    if ((vector_features & 0xe0) != 0xe0) vector_features &= 7;
    asm volatile("xsetbv" ::"c"(0), "a"(vector_features), "d"(0));
    vector_size = align_up(cpuid(0xd, 0).ebx, 64);
}

// Descriptors: Intel SDM volume 3, 8.2.3 (TSS).
static void cpu_setup_tss(struct arch_cpu *cpu) {
    u64 tss = (u64)&cpu->tss;
    u64 limit = sizeof(cpu->tss) - 1;
    u32 selector = SELECTOR_TSS + 16 * cpu->cpu.id;
    gdt[selector / 8] = limit | (tss & 0xffffff) << 16 | 0x89ul << 40 | (tss >> 24 & 0xff) << 56;
    gdt[selector / 8 + 1] = tss >> 32;
    cpu->tss.io_map = sizeof(cpu->tss);
    asm volatile("ltr %w0" ::"r"(selector) : "memory");
}

// Gates for interrupts: Intel SDM volume 3, 6.14.1.
static void cpu_setup_idt(void) {
    static const u8 stacks[256] = {
        [VECTOR_NMI] = 1, [VECTOR_DOUBLE_FAULT] = 2, [VECTOR_MACHINE_CHECK] = 3};
    for (u32 i = 0; i < 256; i++) {
        u64 offset = (u64)(entry_stubs + 16 * i);
        u64 privilege = i == VECTOR_BREAKPOINT || i == VECTOR_OVERFLOW ? 3 : 0;
        u64 type = 0x8e | privilege << 5;
        idt[i][0] = (offset & 0xffff) | SELECTOR_KERNEL_CODE << 16 | (u64)stacks[i] << 32 |
                    type << 40 | (offset >> 16 & 0xffff) << 48;
        idt[i][1] = offset >> 32;
    }
    struct table_pointer pointer = {sizeof(idt) - 1, (u64)idt};
    asm volatile("lidt %0" ::"m"(pointer));
}

static void cpu_setup_syscall(void) {
    enum : u64 { TF = 1 << 8, IF = 1 << 9, DF = 1 << 10, NT = 1 << 14, RF = 1 << 16, AC = 1 << 18 };
    msr_write(MSR_STAR, (u64)SELECTOR_USER_BASE << 48 | (u64)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (u64)syscall_entry);
    msr_write(MSR_SFMASK, TF | IF | DF | NT | RF | AC);
}

void cpu_setup(struct arch_cpu *cpu) {
    cpu_setup_control();
    cpu_setup_tss(cpu);
    cpu_setup_idt();
    cpu_setup_syscall();
    cpu->cr3 = cr3_read();
}

void cpu_add_exception_stacks(struct arch_cpu *cpu) {
    for (u32 i = 0; i < 3; i++) {
        u64 top = arch_kstack_alloc(nullptr, nullptr);
        *(struct cpu **)(top - 8) = &cpu->cpu;
        cpu->tss.ist[i] = top - 16;
    }
}

void cpu_add(u32 id) {
    static_assert(sizeof(struct arch_cpu) <= PAGE_SIZE);
    struct arch_cpu *cpu = arch_direct(boot_page_alloc());
    cpu->cpu.id = id;
    cpu->cpu.syscall_stack = arch_kstack_alloc(nullptr, nullptr);
    cpu_add_exception_stacks(cpu);
    cpu_table[id] = cpu;
}

usize arch_vector_size(void) { return vector_size; }

// The initial state: everything else than these two words comes from XSTATE_BV = 0.
void arch_vector_init(void *area) {
    memset(area, 0, vector_size);
    *(u16 *)area = 0x37f;               // FCW
    *(u32 *)((u8 *)area + 24) = 0x1f80; // MXCSR
}

u64 arch_entropy(void) {
    enum { CPUID_RDRAND = 1 << 30, TRIES = 10 };
    u64 value = 0;
    for (u32 i = 0; i < TRIES && cpuid(1, 0).ecx & CPUID_RDRAND; i++) {
        bool good;
        asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
        if (good) return value;
    }
    return tsc_read() * 0x9e3779b97f4a7c15;
}
