/*
 * tls: any bytes, gaps and closes in any order, with a key log that may fit. The first
 * byte says how long the key log is (in lines of 16 bytes); then commands of two bytes:
 * what and how much. Bytes in must be dark, plain, held or framing; closes come once.
 */
#include <stdlib.h>

#include "agent/keylog.h"
#include "agent/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t plain[2], gaps[2];
    unsigned closes[2];
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct seen *s = arg;
    (void)ts_ns;
    if (s->closes[d] || !bytes.n)
        abort();
    s->plain[d] += bytes.n;
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct seen *s = arg;
    (void)ts_ns, (void)bytes;
    if (s->closes[d])
        abort();
    s->gaps[d]++;
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct seen *s = arg;
    (void)ts_ns, (void)reset;
    if (s->closes[d]++)
        abort();
}

static void command(struct tls *t, const struct stream_sink *in, const uint8_t *c,
                    struct slice *rest)
{
    enum stream_dir d = c[0] & 1 ? STREAM_DOWN : STREAM_UP;
    struct slice s = slice_head(*rest, (size_t)c[1] + (c[0] & 0x80 ? 256 : 0));
    switch (c[0] >> 1 & 7) {
    case 0:
        in->gap(in->arg, d, 0, c[1]);
        break;
    case 1:
        tls_poll(t);
        break;
    case 2:
        if (c[1] == 0)
            tls_give_up(t);
        break;
    default:
        in->data(in->arg, d, 0, s);
        *rest = slice_from(*rest, s.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    struct slice keys = slice_head(rest, (size_t)data[0] * 16);
    struct secrets *secrets = secrets_new(4, 1);
    struct seen seen = { 0 };
    struct stream_sink inner = { &seen, on_data, on_gap, on_close }, in;
    struct tls_options o = { .held_bytes = 4096, .seek_tries = 64 };
    struct tls *t = tls_new(&o, secrets, &inner);
    struct keylog k;
    if (!secrets || !t)
        abort();
    rest = slice_from(rest, keys.n);
    keylog_init(&k, secrets);
    tls_sink(t, &in);
    for (unsigned step = 0; rest.n > 2; step++) {
        uint8_t c[2] = { (uint8_t)rest.p[0], (uint8_t)rest.p[1] };
        rest = slice_from(rest, 2);
        if (step == 8) /* the secrets come late */
            keylog_feed(&k, keys);
        command(t, &in, c, &rest);
    }
    keylog_finish(&k);
    in.close(in.arg, STREAM_UP, 0, false);
    in.close(in.arg, STREAM_DOWN, 0, true);
    tls_give_up(t);
    const struct tls_info *info = tls_info(t);
    for (int d = 0; d < 2; d++)
        if (seen.closes[d] != 1 || seen.plain[d] != info->plain_bytes[d] ||
            seen.gaps[d] != info->gaps[d] || info->held_bytes ||
            info->dark_bytes[d] + info->plain_bytes[d] > info->bytes[d])
            abort();
    tls_free(t);
    secrets_free(secrets);
    return 0;
}
