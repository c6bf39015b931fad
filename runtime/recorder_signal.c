/*  recorder_signal.c - the flight recorder's signal handler: who died of what, written down while dying.
 *
 *  DESIGN
 *  The handler runs on a stack of its own, with every signal blocked, on the
 *  thread that faulted, and may find anything broken: the heap, its locks, the
 *  texts that the slot points to. So it calls nothing that locks or allocates, and
 *  reads foreign texts through the kernel: process_vm_readv answers a bad pointer
 *  with EFAULT where a load would be a second fault. (Where a sandbox forbids that
 *  call, texts stay empty; the message's id is what counts.) It goes from the sure to the
 *  unsure, message, texts, backtrace: what stands when a second fault ends it
 *  (blocked signals end a process at once) still counts.
 *
 *  Only a fault of this process's own making is marked: of the processor, by abort,
 *  or by the watchdog. A signal that somebody sent is no fault of the message, on
 *  whichever thread it lands. The process then dies of the same signal by the
 *  default action, raised within the handler, so that the parent sees the signal
 *  and the core shows the fault below the handler's frames.
 *
 *  The watchdog's SIGABRT carries the number (its low half) of the turn that it means. A turn that
 *  ended meanwhile makes it a false alarm, and the thread goes on.
 *
 *  That call is made directly: what it reads is outside of what the sanitizers watch.
 */
#include "runtime/recorder_file.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE (64u << 10)
#define FRAMES_MAX 48
#define PAGE 4096u  /* the smallest there is */

_Static_assert (TROUPE_ADDRESS_MAX < PAGE && TROUPE_NAME_MAX < PAGE, "a text crosses one end of a page at most");

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
#define FAULTS (sizeof faults / sizeof faults[0])

/*  The handlers are the process's; recorders share them. */
static pthread_mutex_t actions_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned actions_users;
static struct sigaction actions_before[FAULTS];  /* fixed while there are users */

/*  Of a worker's thread. Initial-exec, or its first use in a signal handler could allocate. */
static _Thread_local struct {
    recorder_t *recorder;  /* NULL: no worker */
    uint32_t slot;
    pid_t pid;             /* a forked child is not the worker */
    void *stack;
    stack_t stack_before;
} me __attribute__ ((tls_model ("initial-exec")));

/* ---- foreign texts ---- */

/*  Copies bytes from where there may be none; returns how many there were. The kernel copies a piece
 *  whole or not at all, and what can be read ends with a page: so two pieces. */
static size_t
copy_bytes (const void *from, void *to, size_t size)
{
    size_t first = PAGE - (uintptr_t) from % PAGE;
    if (first > size)
        first = size;
    struct iovec here = { to, size };
    struct iovec there[] = { { (char *) from, first }, { (char *) from + first, size - first } };
    long copied = syscall (SYS_process_vm_readv, getpid (), &here, 1ul, there, 2ul, 0ul);
    return copied > 0 ? (size_t) copied : 0;
}

/*  Fills all of `to`: a text as far as it can be read, then zeros. */
static void
copy_text (const char *from, char *to, size_t room)
{
    size_t size = from ? copy_bytes (from, to, room - 1) : 0;
    to[size] = '\0';
    size = strlen (to);
    memset (to + size, 0, room - size);
}

/* ---- the backtrace as text ---- */

typedef struct {
    char *text;
    size_t size, room;
} note_t;

static void
note_text (note_t *note, const char *text)
{
    while (*text && note->size + 1 < note->room)
        note->text[note->size++] = *text++;
    note->text[note->size] = '\0';
}

static void
note_hex (note_t *note, uintptr_t number)
{
    char text[2 + 2 * sizeof number + 1], *at = text + sizeof text - 1;
    *at = '\0';
    do
        *--at = "0123456789abcdef"[number & 15];
    while ((number >>= 4) != 0);
    *--at = 'x';
    *--at = '0';
    note_text (note, at);
}

static const recorder_module_t *
find_module (const recorder_t *self, uintptr_t address)
{
    for (uint32_t at = 0; at < self->module_count; at++)
        if (address >= self->modules[at].begin && address < self->modules[at].end)
            return self->modules + at;
    return NULL;
}

/*  "file+0xoffset", a line each; a line that does not fit is left out. */
static void
note_place (const recorder_t *self, note_t *note, uintptr_t address)
{
    const recorder_module_t *module = find_module (self, address);
    if (note->size + RECORDER_MODULE_NAME_MAX + 24 > note->room)
        return;
    if (module) {
        note_text (note, module->name);
        note_text (note, "+");
        address -= module->bias;
    }
    note_hex (note, address);
    note_text (note, "\n");
}

typedef struct {
    uintptr_t instruction;
    const void *stack;  /* NULL: not looked at */
} registers_t;

static registers_t
read_registers (const void *context)
{
    const ucontext_t *machine = context;
    registers_t registers = { 0, NULL };
#if defined(__x86_64__)
    registers.instruction = (uintptr_t) machine->uc_mcontext.gregs[REG_RIP];
    memcpy (&registers.stack, &machine->uc_mcontext.gregs[REG_RSP], sizeof registers.stack);
#elif defined(__aarch64__)
    registers.instruction = machine->uc_mcontext.pc;
#else
    (void) machine;
#endif
    return registers;
}

/*  Where it faulted, then its callers, without the frames of this handler. */
static void
note_backtrace (const recorder_t *self, note_t *note, const void *context)
{
    registers_t registers = read_registers (context);
    void *frames[FRAMES_MAX];
    note_place (self, note, registers.instruction);
    int count = backtrace (frames, FRAMES_MAX), at = 0;
    while (at < count && (uintptr_t) frames[at] != registers.instruction)
        at++;
    if (at + 1 >= count && registers.stack) {
        /* Most likely a call to where no code is: the caller's address lies on top of the stack. */
        uintptr_t caller;
        if (copy_bytes (registers.stack, &caller, sizeof caller) == sizeof caller
            && find_module (self, caller))
            note_place (self, note, caller - 1);
    }
    for (at++; at < count; at++)
        note_place (self, note, (uintptr_t) frames[at] - 1);  /* in the call, not behind it */
}

/* ---- marking ---- */

static void
mark (const recorder_t *self, uint32_t slot_index, int signal, const void *context)
{
    recorder_slot_t *slot = self->file->slots + slot_index;
    recorder_mark_t *to = self->file->marks + slot_index;
    uint64_t message = atomic_load_explicit (&slot->message, memory_order_relaxed);
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    to->stamp_ns = (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
    to->suspect.signal = signal;
    atomic_store_explicit (&to->message, message, memory_order_release);
    copy_text (atomic_load_explicit (&slot->address, memory_order_relaxed), to->suspect.address,
               sizeof to->suspect.address);
    copy_text (atomic_load_explicit (&slot->verb, memory_order_relaxed), to->suspect.verb, sizeof to->suspect.verb);
    note_t note = { to->suspect.backtrace, 0, sizeof to->suspect.backtrace };
    if (context)
        note_backtrace (self, &note, context);
}

/*  Dies of the signal by its default action. */
static void
die (int signal)
{
    struct sigaction action;
    memset (&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction (signal, &action, NULL);
    syscall (SYS_tgkill, getpid (), (pid_t) syscall (SYS_gettid), signal);
    sigset_t alone;
    sigemptyset (&alone);
    sigaddset (&alone, signal);
    pthread_sigmask (SIG_UNBLOCK, &alone, NULL);
}

/*  To whom the signal would have gone without us. */
static void
pass_on (int signal, siginfo_t *info, void *context)
{
    size_t at = 0;
    while (faults[at] != signal)
        at++;
    const struct sigaction *before = actions_before + at;
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction (signal, info, context);
    else if (before->sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
        die (signal);
    else
        before->sa_handler (signal);
}

static void
on_fault (int signal, siginfo_t *info, void *context)
{
    int errno_before = errno;
    bool is_sent = info->si_code <= 0;
    bool is_sent_by_us = is_sent && (info->si_code == SI_TKILL || info->si_code == SI_QUEUE)
                         && info->si_pid == getpid ();
    uint64_t message = 0, turn = 0;
    if (me.recorder && me.pid == getpid ()) {
        const recorder_slot_t *slot = me.recorder->file->slots + me.slot;
        message = atomic_load_explicit (&slot->message, memory_order_relaxed);
        turn = atomic_load_explicit (&slot->turns, memory_order_relaxed);
    }
    bool is_watchdog = signal == SIGABRT && info->si_code == SI_QUEUE && is_sent_by_us;
    if (is_watchdog && (message == 0 || (int) turn != info->si_value.sival_int)) {
        errno = errno_before;
        return;
    }
    if (message && (!is_sent || is_sent_by_us)) {
        mark (me.recorder, me.slot, signal, context);
        die (signal);
    }
    else
        pass_on (signal, info, context);
    errno = errno_before;
}

void
recorder_mark_stuck (recorder_t *self, uint32_t slot)
{
    CHECK (slot < self->slots);
    pthread_mutex_lock (&self->lock);
    bool is_marked = atomic_load_explicit (&self->file->marks[slot].message, memory_order_acquire) != 0;
    if (!is_marked && atomic_load_explicit (&self->file->slots[slot].message, memory_order_relaxed))
        mark (self, slot, SIGABRT, NULL);
    pthread_mutex_unlock (&self->lock);
}

/* ---- the process and its threads ---- */

static int
add_module (struct dl_phdr_info *info, size_t size, void *arg)
{
    (void) size;
    recorder_t *self = arg;
    if (self->module_count == RECORDER_MODULES_MAX)
        return 1;
    recorder_module_t *module = self->modules + self->module_count;
    *module = (recorder_module_t) { .begin = UINTPTR_MAX, .bias = info->dlpi_addr };
    for (int at = 0; at < info->dlpi_phnum; at++) {
        if (info->dlpi_phdr[at].p_type != PT_LOAD)
            continue;
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[at].p_vaddr;
        uintptr_t end = begin + info->dlpi_phdr[at].p_memsz;
        module->begin = begin < module->begin ? begin : module->begin;
        module->end = end > module->end ? end : module->end;
    }
    char program[1024];
    const char *path = info->dlpi_name;
    if (!path[0]) {
        ssize_t length = readlink ("/proc/self/exe", program, sizeof program - 1);
        program[length > 0 ? length : 0] = '\0';
        path = program;
    }
    const char *slash = strrchr (path, '/');
    snprintf (module->name, sizeof module->name, "%.*s", RECORDER_MODULE_NAME_MAX, slash ? slash + 1 : path);
    self->module_count++;
    return 0;
}

void
recorder_install (recorder_t *self)
{
    if (self->is_installed)
        return;
    self->is_installed = true;
    dl_iterate_phdr (add_module, self);
    void *frames[4];
    backtrace (frames, 4);  /* loads and allocates what it needs now, so that it does not in the handler */
    pthread_mutex_lock (&actions_lock);
    if (actions_users++ == 0)
        for (size_t at = 0; at < FAULTS; at++) {
            struct sigaction action;
            memset (&action, 0, sizeof action);
            action.sa_sigaction = on_fault;
            action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
            sigfillset (&action.sa_mask);
            CHECK (sigaction (faults[at], NULL, &actions_before[at]) == 0);
            CHECK (sigaction (faults[at], &action, NULL) == 0);
        }
    pthread_mutex_unlock (&actions_lock);
}

/*  What somebody else installed over it stays. */
void
recorder_uninstall (recorder_t *self)
{
    if (!self->is_installed)
        return;
    self->is_installed = false;
    pthread_mutex_lock (&actions_lock);
    if (--actions_users == 0)
        for (size_t at = 0; at < FAULTS; at++) {
            struct sigaction now;
            CHECK (sigaction (faults[at], NULL, &now) == 0);
            if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault)
                CHECK (sigaction (faults[at], &actions_before[at], NULL) == 0);
        }
    pthread_mutex_unlock (&actions_lock);
}

/*  Without memory for it the thread keeps the stack that it has: only an overflow of that goes unmarked. */
static void
take_stack (void)
{
    me.stack = mmap (NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (me.stack == MAP_FAILED) {
        me.stack = NULL;
        return;
    }
    stack_t stack;
    memset (&stack, 0, sizeof stack);
    stack.ss_sp = me.stack;
    stack.ss_size = STACK_SIZE;
    CHECK (sigaltstack (&stack, &me.stack_before) == 0);
}

void
recorder_thread_begin (recorder_t *self, recorder_slot_t *slot)
{
    CHECK (!me.recorder);
    CHECK (slot >= self->file->slots && slot < self->file->slots + self->slots);
    me.slot = (uint32_t) (slot - self->file->slots);
    me.pid = getpid ();
    take_stack ();
    pthread_mutex_lock (&self->lock);
    CHECK (!self->threads[me.slot].is_there);
    self->threads[me.slot].thread = pthread_self ();
    self->threads[me.slot].is_there = true;
    pthread_mutex_unlock (&self->lock);
    atomic_signal_fence (memory_order_seq_cst);
    me.recorder = self;
}

void
recorder_thread_end (void)
{
    recorder_t *self = me.recorder;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->threads[me.slot].is_there = false;
    pthread_mutex_unlock (&self->lock);
    me.recorder = NULL;
    atomic_signal_fence (memory_order_seq_cst);
    if (me.stack) {
        CHECK (sigaltstack (&me.stack_before, NULL) == 0);
        munmap (me.stack, STACK_SIZE);
        me.stack = NULL;
    }
}

/* ---- the watchdog's side ---- */

/*  The turn may end, and its texts be freed, at any moment: what was copied counts only if
 *  the same turn is still there afterwards. */
bool
recorder_look (recorder_t *self, uint32_t slot_index, recorder_view_t *view)
{
    CHECK (slot_index < self->slots);
    recorder_slot_t *slot = self->file->slots + slot_index;
    view->turn = atomic_load_explicit (&slot->turns, memory_order_acquire);
    view->message = atomic_load_explicit (&slot->message, memory_order_acquire);
    if (view->message == 0)
        return false;
    view->budget_ms = atomic_load_explicit (&slot->budget_ms, memory_order_relaxed);
    copy_text (atomic_load_explicit (&slot->address, memory_order_relaxed), view->address, sizeof view->address);
    copy_text (atomic_load_explicit (&slot->verb, memory_order_relaxed), view->verb, sizeof view->verb);
    atomic_thread_fence (memory_order_acquire);
    return atomic_load_explicit (&slot->message, memory_order_relaxed) == view->message
           && atomic_load_explicit (&slot->turns, memory_order_relaxed) == view->turn;
}

void
recorder_abort_turn (recorder_t *self, uint32_t slot, uint64_t turn)
{
    CHECK (slot < self->slots);
    pthread_mutex_lock (&self->lock);
    union sigval value = { .sival_int = (int) turn };
    if (self->threads[slot].is_there)
        pthread_sigqueue (self->threads[slot].thread, SIGABRT, value);
    pthread_mutex_unlock (&self->lock);
}
