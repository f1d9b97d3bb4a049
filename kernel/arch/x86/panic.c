// The panic report: reason, build, registers, calls, locks, system call; then what the layers above
// add (panic_describe). The first CPU that panics stops the others by NMI and prints alone.
//
// Symbols come from the section .symbols, which the build makes from the first link of the kernel:
// u32 count, then count × {u32 address - image base, u32 offset of the name}, sorted, then names.
#include "cpu.h"
#include "drivers/apic.h"
#include "lib/print.h"
#include "lib/string.h"

enum { BACKTRACE_MAX = 32, PANIC_NOBODY = ~0 };

struct symbol {
    u32 address;
    u32 name;
};
struct symbol_table {
    u32 count;
    struct symbol symbols[];
};
extern const struct symbol_table symbols_begin[];
extern const u8 build_id_begin[], build_id_end[];
extern const u8 image_begin[], image_rodata[], boot_stack_guard[];

static int panic_cpu = PANIC_NOBODY;

bool panic_running(void) { return __atomic_load_n(&panic_cpu, __ATOMIC_RELAXED) != PANIC_NOBODY; }

void panic_stop_here(void) {
    for (;;)
        asm volatile("cli; hlt");
}

void arch_build_id(char *text, usize size) {
    enum { NOTE_HEADER = 16 }; // sizes, type, "GNU"
    usize used = 0;
    text[0] = 0;
    for (const u8 *byte = build_id_begin + NOTE_HEADER; byte < build_id_end && used + 2 < size;
         byte++)
        used += ksnprintf(text + used, size - used, "%02x", *byte);
}

static void address_print(u64 address) {
    const struct symbol_table *table = symbols_begin;
    const char *names = (const char *)&table->symbols[table->count];
    const struct symbol *symbol = nullptr;
    if (address >= (u64)image_begin && address < (u64)image_rodata)
        for (u32 i = 0; i < table->count; i++)
            if (table->symbols[i].address <= address - ARCH_IMAGE_BASE) symbol = &table->symbols[i];
    if (symbol)
        kprintf("    %016lx %s+0x%lx\n", address, names + symbol->name,
                address - ARCH_IMAGE_BASE - symbol->address);
    else
        kprintf("    %016lx\n", address);
}

// A frame is {caller's frame, return address}; frames lie higher and higher on a kernel stack.
static void backtrace_print(u64 fp) {
    for (u32 i = 0; i < BACKTRACE_MAX && fp >= ARCH_DIRECT_BASE && fp % 8 == 0; i++) {
        if (!arch_kernel_mapped(fp) || !arch_kernel_mapped(fp + 8)) break;
        const u64 *frame = (const u64 *)fp;
        if (frame[1] == 0) break;
        address_print(frame[1]);
        if (frame[0] <= fp) break;
        fp = frame[0];
    }
}

static void registers_print(const struct arch_trap *t) {
    u64 cr2 = cr2_read();
    kprintf("  vector %lu error %lx rip %lx cs %lx rflags %lx cr2 %lx cr3 %lx\n", t->vector,
            t->error_code, t->rip, t->cs, t->rflags, cr2, cr3_read());
    kprintf("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", t->rax, t->rbx, t->rcx, t->rdx);
    kprintf("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", t->rsi, t->rdi, t->rbp, t->rsp);
    kprintf("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", t->r8, t->r9, t->r10, t->r11);
    kprintf("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", t->r12, t->r13, t->r14, t->r15);
    u64 guard =
        cr2 >= ARCH_IMAGE_BASE ? (u64)boot_stack_guard : align_down(cr2, ARCH_KSTACK_STRIDE);
    if (cr2 >= ARCH_KSTACK_BASE && cr2 - guard < PAGE_SIZE)
        kprintf("  kernel stack overflow: %lx is in the guard page of the stack above it\n", cr2);
}

static void context_print(const struct cpu *cpu) {
    const struct arch_thread *t = (const struct arch_thread *)cpu->current;
    if (t && arch_kernel_mapped((u64)t) && t->pmap) {
        const struct syscall_args *args =
            &((const struct restricted_frame *)cpu->syscall_stack - 1)->args;
        kprintf("  thread %p, last system call %lu (%lx %lx %lx %lx %lx %lx)\n",
                (void *)cpu->current, args->number, args->arg[0], args->arg[1], args->arg[2],
                args->arg[3], args->arg[4], args->arg[5]);
    }
    for (u32 i = 0; i < cpu->held_count; i++)
        kprintf("  holds lock %p of rank %u\n", (const void *)cpu->held[i], cpu->held[i]->rank);
}

// Claims the report for this CPU; returns on the first call only.
static void panic_begin(void) {
    arch_interrupts_disable();
    int nobody = PANIC_NOBODY;
    int self = (int)arch_cpu_id();
    if (__atomic_compare_exchange_n(&panic_cpu, &nobody, self, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
        apic_nmi_others();
        return;
    }
    if (nobody == self) {
        kprintf("PANIC while reporting a panic, at:\n");
        backtrace_print((u64)__builtin_frame_address(0));
    }
    panic_stop_here();
}

static NORETURN void panic_end(const struct arch_trap *trap, u64 fp) {
    char build[48];
    struct cpu *cpu = arch_this_cpu();
    arch_build_id(build, sizeof(build));
    kprintf("  CPU %u, %lu us after boot, build %s\n", cpu->id, arch_time_ns() / 1000, build);
    if (trap) registers_print(trap);
    kprintf("  calls:\n");
    if (trap && !trap_from_user(trap)) address_print(trap->rip);
    backtrace_print(fp);
    context_print(cpu);
    panic_describe();
    kprintf("PANIC end of report\n");
    if (boot_option("panic=poweroff")) arch_poweroff(ARCH_POWEROFF);
    panic_stop_here();
}

void panic(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    kvsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    panic_begin();
    kprintf("\nPANIC: %s\n", text);
    panic_end(nullptr, (u64)__builtin_frame_address(0));
}

void panic_trap(struct arch_trap *trap) {
    // By vector, as the SDM calls them.
    static const char names[][4] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                    "#DF", "9",   "#TS", "#NP", "#SS", "#GP", "#PF", "15",
                                    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
    const char *name = trap->vector < ARRAY_SIZE(names) ? names[trap->vector] : "";
    panic_begin();
    kprintf("\nPANIC: exception %lu %s in %s\n", trap->vector, name,
            trap_from_user(trap) ? "user mode" : "the kernel");
    panic_end(trap, trap->rbp);
}
