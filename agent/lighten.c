/* Give memory back: see lighten.h. A shell file. */
#include "agent/lighten.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Segments that were never writable hold what the file holds and nothing else, so that
 * forgetting their pages loses nothing. Relocated data lies in writable segments, also
 * when it was made read-only afterwards. A library with relocations in its code is left
 * alone.
 */
static int forget(struct dl_phdr_info *object, size_t size, void *page)
{
    const uintptr_t mask = ~((uintptr_t) * (long *)page - 1);
    (void)size;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *d = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr);
        for (; d->d_tag != DT_NULL; d++)
            if (d->d_tag == DT_TEXTREL ||
                (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
                return 0;
    }
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & mask;
        uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & mask;
        if (to > from)
            madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

/* Deepest use of the stack that is expected; what is not mapped of it is passed over. */
enum { STACK_MOST = 1 << 20, NEAR = 4 };

__attribute__((noinline)) static void clear_near(void)
{
    unsigned char room[(NEAR + 1) << 12];
    explicit_bzero(room, sizeof room);
}

/*
 * Below the frame of the caller lie the frames of calls long over, and what they had in
 * their arrays. The pages near by are zeroed, as calls made here use them, the others are
 * given back.
 */
__attribute__((noinline)) static void clear_stack(size_t page)
{
    unsigned char here;
    clear_near();
    uintptr_t top = ((uintptr_t)&here & ~(page - 1)) - NEAR / 2 * page;
    madvise((void *)(top - STACK_MOST), STACK_MOST, MADV_DONTNEED);
}

void lighten(void)
{
    long page = sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    clear_stack((size_t)page);
    dl_iterate_phdr(forget, &page);
}
