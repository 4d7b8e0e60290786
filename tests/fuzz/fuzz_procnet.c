/* procnet: any line is read or refused, without a read behind its end. */
#include <stdlib.h>

#include "agent/procnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct procnet p;
    char text[ENDPOINT_TEXT];
    char *copy = malloc(size ? size : 1); /* its end is watched */
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    if (procnet_line(slice_of(copy, size), &p))
        endpoint_text(&p.local, text);
    free(copy);
    return 0;
}
