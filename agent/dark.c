/* Requests that cannot be read, counted by their bursts: see dark.h. */
#include "agent/dark.h"

enum { HEAD = 5, APPLICATION_DATA = 23, RECORD_MOST = 16384 + 2048 };

static void application(struct dark *k, enum stream_dir d, size_t n)
{
    if (d == STREAM_DOWN) {
        k->reply += n;
        if (k->reply >= DARK_REPLY_BYTES)
            k->burst = 0;
    } else if (k->burst != UINT64_MAX) {
        k->burst += n;
        if (k->burst >= DARK_REQUEST_BYTES) {
            k->bursts++;
            k->burst = UINT64_MAX;
            k->reply = 0;
        }
    }
}

/* A header is complete. */
static void begin_record(struct dark_dir *s)
{
    s->left = (uint32_t)s->head[3] << 8 | s->head[4];
    s->application = s->head[0] == APPLICATION_DATA;
    s->lost =
        s->head[0] < 20 || s->head[0] > 24 || s->head[1] != 3 || s->left > RECORD_MOST;
    s->n = 0;
}

void dark_data(struct dark *k, enum stream_dir d, struct slice bytes)
{
    struct dark_dir *s = &k->dir[d];
    *(d == STREAM_UP ? &k->up : &k->down) += bytes.n;
    while (bytes.n && !s->lost) {
        if (s->left) {
            size_t n = bytes.n < s->left ? bytes.n : s->left;
            if (s->application)
                application(k, d, n);
            s->left -= (uint32_t)n;
            bytes = slice_from(bytes, n);
            continue;
        }
        s->head[s->n++] = (unsigned char)*bytes.p;
        bytes = slice_from(bytes, 1);
        if (s->n == HEAD)
            begin_record(s);
    }
    if (bytes.n)
        application(k, d, bytes.n);
}

void dark_gap(struct dark *k, enum stream_dir d)
{
    k->dir[d].lost = true;
}
