/* Lets system calls that write below one folder fail, from outside the program. Linux only.
 *
 * The library is preloaded (LD_PRELOAD). A seccomp filter traps the system calls of the table, no
 * matter whether the program reaches them through the C library, and the handler of SIGSYS counts
 * each one whose file lies below the folder, logs it, and makes it or fails it. Environment:
 *
 *   DISK_FAULTS_UNDER   the folder, absolute and without links
 *   DISK_FAULTS_LOG     a file; one line for each call: number, name, result, path
 *   DISK_FAULTS_AT      number of the call that fails, counted from 1; 0 only counts
 *   DISK_FAULTS_ERRNO   the error number
 *   DISK_FAULTS_MODE    once: only this call fails
 *                       lasting: this call and all later ones fail
 *                       half: as lasting, but this call first writes half of its bytes
 *                       kill: the process is killed in place of this call
 *
 * The handler allocates nothing and calls nothing that takes a lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The only place from which the trapped calls pass the filter. */
long faults_syscall(long nr, long a, long b, long c, long d, long e, long f);
extern const char faults_syscall_end[];

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".text\n.globl faults_syscall\n.hidden faults_syscall\n.type faults_syscall, @function\n"
        "faults_syscall:\n mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n"
        " mov %r8, %r10\n mov %r9, %r8\n mov 8(%rsp), %r9\n syscall\n"
        ".globl faults_syscall_end\n.hidden faults_syscall_end\nfaults_syscall_end:\n ret\n");
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".text\n.globl faults_syscall\n.hidden faults_syscall\n.type faults_syscall, %function\n"
        "faults_syscall:\n mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n"
        " mov x4, x5\n mov x5, x6\n svc #0\n"
        ".globl faults_syscall_end\n.hidden faults_syscall_end\nfaults_syscall_end:\n ret\n");
#else
#error "no registers are known for this processor"
#endif

/* Where a call names its file. */
enum where { FD, FD_THIRD, PATH, SECOND_PATH, AT, SECOND_AT, OPEN, OPEN_AT };

static const struct call {
    int nr;
    enum where where;
    const char *name;
} CALLS[] = {
    {SYS_write, FD, "write"},
    {SYS_pwrite64, FD, "pwrite64"},
    {SYS_writev, FD, "writev"},
    {SYS_pwritev, FD, "pwritev"},
    {SYS_pwritev2, FD, "pwritev2"},
    {SYS_sendfile, FD, "sendfile"},
    {SYS_copy_file_range, FD_THIRD, "copy_file_range"},
    {SYS_fsync, FD, "fsync"},
    {SYS_fdatasync, FD, "fdatasync"},
    {SYS_sync_file_range, FD, "sync_file_range"},
    {SYS_ftruncate, FD, "ftruncate"},
    {SYS_truncate, PATH, "truncate"},
    {SYS_fallocate, FD, "fallocate"},
    {SYS_openat, OPEN_AT, "openat"},
    {SYS_renameat2, SECOND_AT, "renameat2"},
    {SYS_linkat, SECOND_AT, "linkat"},
    {SYS_unlinkat, AT, "unlinkat"},
    {SYS_mkdirat, AT, "mkdirat"},
#ifdef SYS_renameat
    {SYS_renameat, SECOND_AT, "renameat"},
#endif
#ifdef SYS_open
    {SYS_open, OPEN, "open"},
    {SYS_creat, PATH, "creat"},
    {SYS_rename, SECOND_PATH, "rename"},
    {SYS_link, SECOND_PATH, "link"},
    {SYS_unlink, PATH, "unlink"},
    {SYS_mkdir, PATH, "mkdir"},
    {SYS_rmdir, PATH, "rmdir"},
#endif
};
#define COUNT (sizeof CALLS / sizeof CALLS[0])

enum mode { ONCE, LASTING, HALF, KILL };

static char under[4096];
static size_t under_length;
static long fail_at, fail_errno;
static enum mode mode;
static int log_fd = -1;
static long calls_so_far;

/* Writes the file behind a descriptor to `path`; false if it has none. */
static int path_of_fd(long fd, char *path, size_t size) {
    char link[40] = "/proc/self/fd/";
    char digits[20];
    size_t n = 0, at = strlen(link);
    if (fd == AT_FDCWD) {
        memcpy(link, "/proc/self/cwd", 15);
    } else {
        if (fd < 0) return 0;
        do digits[n++] = (char)('0' + fd % 10);
        while ((fd /= 10) > 0);
        while (n > 0) link[at++] = digits[--n];
        link[at] = 0;
    }
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

/* Writes a path, made absolute, to `path`. */
static int path_of_name(long dir, const char *name, char *path, size_t size) {
    size_t at = 0;
    if (name == NULL) return 0;
    if (name[0] != '/') {
        if (!path_of_fd(dir, path, size)) return 0;
        at = strlen(path);
        if (at + 1 < size) path[at++] = '/';
    }
    while (*name != 0 && at + 1 < size) path[at++] = *name++;
    path[at] = 0;
    return 1;
}

static int makes_a_file(long flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

static int path_of_call(const struct call *call, const long *a, char *path, size_t size) {
    switch (call->where) {
    /* Standard output and standard error are for messages. */
    case FD: return a[0] != 1 && a[0] != 2 && path_of_fd((int)a[0], path, size);
    case FD_THIRD: return path_of_fd((int)a[2], path, size);
    case PATH: return path_of_name(AT_FDCWD, (const char *)a[0], path, size);
    case SECOND_PATH: return path_of_name(AT_FDCWD, (const char *)a[1], path, size);
    case AT: return path_of_name((int)a[0], (const char *)a[1], path, size);
    case SECOND_AT: return path_of_name((int)a[2], (const char *)a[3], path, size);
    case OPEN: return makes_a_file(a[1]) && path_of_name(AT_FDCWD, (const char *)a[0], path, size);
    case OPEN_AT: return makes_a_file(a[2]) && path_of_name((int)a[0], (const char *)a[1], path, size);
    }
    return 0;
}

static char *append(char *to, const char *end, const char *text) {
    while (*text != 0 && to < end) *to++ = *text++;
    return to;
}

static void log_call(long number, const char *name, const char *result, const char *path) {
    char line[4600], digits[21];
    size_t n = sizeof digits - 1;
    const char *end = line + sizeof line - 1;
    digits[n] = 0;
    do digits[--n] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    char *at = append(line, end, digits + n);
    at = append(append(at, end, " "), end, name);
    at = append(append(at, end, " "), end, result);
    at = append(append(at, end, " "), end, path);
    *at++ = '\n';
    faults_syscall(SYS_write, log_fd, (long)line, at - line, 0, 0, 0);
}

static long make(long nr, const long *a) {
    return faults_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The result of a trapped call, as the kernel would return it. */
static long result_of(long nr, const long *a) {
    const struct call *call = NULL;
    char path[4200];
    for (size_t i = 0; i < COUNT; i++)
        if (CALLS[i].nr == nr) call = &CALLS[i];
    if (call == NULL || !path_of_call(call, a, path, sizeof path)) return make(nr, a);
    if (strncmp(path, under, under_length) != 0) return make(nr, a);
    if (path[under_length] != '/' && path[under_length] != 0) return make(nr, a);

    const char *name = path + under_length;
    long number = __atomic_add_fetch(&calls_so_far, 1, __ATOMIC_SEQ_CST);
    int is_it = fail_at != 0 && number == fail_at;
    int is_later = fail_at != 0 && number > fail_at;
    if (is_it && mode == KILL) {
        log_call(number, call->name, "killed", name);
        kill(getpid(), SIGKILL);
    }
    if (is_it && mode == HALF && (nr == SYS_write || nr == SYS_pwrite64) && a[2] > 1) {
        log_call(number, call->name, "half", name);
        long half[6] = {a[0], a[1], a[2] / 2, a[3], a[4], a[5]};
        return make(nr, half);
    }
    if (is_it || (is_later && (mode == LASTING || mode == HALF))) {
        log_call(number, call->name, "failed", name);
        return -fail_errno;
    }
    log_call(number, call->name, "made", name);
    return make(nr, a);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
    (void)signal;
    ucontext_t *registers = context;
    int saved = errno;
#if defined(__x86_64__)
    greg_t *r = registers->uc_mcontext.gregs;
    long a[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    r[REG_RAX] = result_of(info->si_syscall, a);
#else
    unsigned long long *r = registers->uc_mcontext.regs;
    long a[6] = {(long)r[0], (long)r[1], (long)r[2], (long)r[3], (long)r[4], (long)r[5]};
    r[0] = (unsigned long long)result_of(info->si_syscall, a);
#endif
    errno = saved;
}

/* Traps the calls of the table, unless they come from `faults_syscall`. */
static int install_filter(void) {
    struct sock_filter filter[COUNT + 9];
    uint64_t stub = (uint64_t)(uintptr_t)faults_syscall_end;
    size_t n = 0;
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUALS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (yes), (no))
    filter[n++] = (struct sock_filter)LOAD(arch);
    filter[n++] = (struct sock_filter)EQUALS(ARCH, 0, COUNT + 5);
    filter[n++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
    filter[n++] = (struct sock_filter)EQUALS(stub, 0, 2);
    filter[n++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    filter[n++] = (struct sock_filter)EQUALS(stub >> 32, COUNT + 1, 0);
    filter[n++] = (struct sock_filter)LOAD(nr);
    for (size_t i = 0; i < COUNT; i++)
        filter[n++] = (struct sock_filter)EQUALS(CALLS[i].nr, COUNT - i, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static long number_of(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : atol(text);
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("DISK_FAULTS_UNDER"), *log = getenv("DISK_FAULTS_LOG");
    const char *word = getenv("DISK_FAULTS_MODE");
    if (folder == NULL || log == NULL || strlen(folder) >= sizeof under) return;
    under_length = strlen(folder);
    memcpy(under, folder, under_length + 1);
    fail_at = number_of("DISK_FAULTS_AT");
    fail_errno = number_of("DISK_FAULTS_ERRNO");
    mode = word == NULL                   ? ONCE
           : strcmp(word, "lasting") == 0 ? LASTING
           : strcmp(word, "half") == 0    ? HALF
           : strcmp(word, "kill") == 0    ? KILL
                                          : ONCE;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 500);
    close(fd);
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (log_fd < 0 || sigaction(SIGSYS, &action, NULL) != 0) return;
    if (install_filter()) log_call(0, "begin", "made", "");
}
