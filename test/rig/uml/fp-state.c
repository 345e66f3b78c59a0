/*
 * Preloaded into a User-Mode Linux kernel of version 6.1.
 *
 * That kernel keeps the floating point registers of its processes in a buffer made for AVX-512. It hands them back with
 * PTRACE_SETREGSET, which on a processor that has more of them (AMX) wants all and answers EFAULT to less; the guest
 * then panics. Here what is missing is filled up with what the process has at the moment.
 *
 * On any other processor both sizes are the same and the call goes through as it came.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel above has one thread, so one buffer will do. */
static unsigned char state[1 << 16];

static long raw(long request, long pid, void *address, void *data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

static long set_fp_state(long pid, void *kind, struct iovec *given)
{
	struct iovec whole = { .iov_base = state, .iov_len = sizeof(state) };

	if (raw(PTRACE_GETREGSET, pid, kind, &whole) != 0 || whole.iov_len <= given->iov_len)
		return raw(PTRACE_SETREGSET, pid, kind, given);
	memcpy(state, given->iov_base, given->iov_len);
	return raw(PTRACE_SETREGSET, pid, kind, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	va_start(rest, request);
	long pid = va_arg(rest, pid_t);
	void *address = va_arg(rest, void *);
	void *data = va_arg(rest, void *);
	va_end(rest);

	if (request == PTRACE_SETREGSET && (size_t)address == NT_X86_XSTATE)
		return set_fp_state(pid, address, data);
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		/* The system call stores the word; the function of the C library returns it. */
		long word = 0;
		long answer = raw(request, pid, address, &word);
		return answer == -1 ? -1 : word;
	}
	return raw(request, pid, address, data);
}
