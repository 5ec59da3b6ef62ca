/* Lets user-mode-linux run on a processor with more registers than it knows.

   It sets a process's extended registers from a buffer of 2,696 bytes, and since AMX they are more;
   the machine's kernel takes all of them or none (ptrace(2), NT_X86_XSTATE), so every process of
   user-mode-linux would die at its first step. Preloaded, this fills in the rest. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

long ptrace(enum __ptrace_request request, ...)
{
  static char registers[1 << 16];
  static long (*real)(enum __ptrace_request, ...);
  va_list rest;
  va_start(rest, request);
  int pid = va_arg(rest, int);
  void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
  va_end(rest);
  if (real == NULL)
    real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
  if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET)
      || address != (void *)NT_X86_XSTATE)
    return real(request, pid, address, data);
  struct iovec all = {registers, sizeof registers}, *known = data;
  if (real(PTRACE_GETREGSET, pid, address, &all) != 0)
    return -1;
  if (known->iov_len > all.iov_len)
    known->iov_len = all.iov_len;
  if (request == PTRACE_GETREGSET) {
    memcpy(known->iov_base, registers, known->iov_len);
    return 0;
  }
  memcpy(registers, known->iov_base, known->iov_len);
  return real(PTRACE_SETREGSET, pid, address, &all);
}
