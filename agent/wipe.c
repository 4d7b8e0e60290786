/*
 * Whatever is freed is zeroed first. Prompts, answers and keys pass through buffers of
 * many owners (inflate windows, decoders, libpcap, SQLite, growing arrays), and an agent
 * that idles must not hold them in the heap for whoever reads its memory. So the
 * program's own free and realloc stand in front of glibc's, for all libraries, too.
 * Linked into the agent alone, not under sanitizers, which bring their own.
 *
 * A block that grows moves by hand, since glibc's realloc would leave the old one as it
 * was. From MAPPED on a block is a map of its own, which moves without a copy and goes
 * back to the kernel.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__)

#define EXPORT __attribute__((visibility("default")))

enum { MAPPED = 128 << 10 };

void __libc_free(void *p);
void *__libc_realloc(void *p, size_t n);
void wipe_init(void);

/* Said once, the threshold stays where it is. */
__attribute__((constructor)) void wipe_init(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED);
}

EXPORT void free(void *p)
{
    int kept = errno;
    size_t n = p ? malloc_usable_size(p) : 0;
    if (n && n <= MAPPED)
        explicit_bzero(p, n);
    __libc_free(p);
    errno = kept;
}

EXPORT void *realloc(void *p, size_t n)
{
    size_t have = p ? malloc_usable_size(p) : 0;
    if (!p || !n || have > MAPPED)
        return __libc_realloc(p, n);
    if (n <= have && n >= have / 2)
        return p;
    void *to = malloc(n);
    if (to) {
        memcpy(to, p, n < have ? n : have);
        free(p);
    }
    return to;
}

#endif
