/*
 * Stored alerts and silences, whatever the file holds: what decodes must encode again to
 * a document that decodes to the same text. The first byte chooses which of the two.
 */
#include "collector/alert_set.h"
#include "collector/silence.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct alert_names names = { { "hook", "pager" }, 2 };

static void alerts(struct slice text)
{
    struct arena a;
    struct alert_set s, again;
    struct buf one = { 0 }, two = { 0 };
    arena_init(&a, 16 << 20);
    alert_set_init(&s, &a);
    alert_set_init(&again, &a);
    if (alert_set_decode(&s, &names, text) == ST_OK && s.st == ST_OK) {
        alert_set_encode(&s, &names, &one);
        if (alert_set_decode(&again, &names, buf_slice(&one)) != ST_OK)
            abort();
        alert_set_encode(&again, &names, &two);
        if (!slice_eq(buf_slice(&one), buf_slice(&two)))
            abort();
    }
    buf_release(&one);
    buf_release(&two);
    arena_release(&a);
}

static void silences(struct slice text)
{
    struct silences s, again = { 0 };
    struct buf one = { 0 }, two = { 0 };
    if (silences_parse(text, &s) == ST_OK) {
        silences_format(&s, &one);
        if (silences_parse(buf_slice(&one), &again) != ST_OK)
            abort();
        silences_format(&again, &two);
        if (!slice_eq(buf_slice(&one), buf_slice(&two)))
            abort();
    }
    silences_release(&s);
    silences_release(&again);
    buf_release(&one);
    buf_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = size ? slice_of(data + 1, size - 1) : SLICE("");
    if (size && data[0] == 's')
        silences(text);
    else
        alerts(text);
    return 0;
}
