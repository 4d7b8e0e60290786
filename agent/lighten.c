/* Give memory back: see lighten.h. A shell file. */
#include "agent/lighten.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
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

void lighten(void)
{
    long page = sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(forget, &page);
}
