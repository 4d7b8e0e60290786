/* A stage per coding; the output of one is the input of the next: see decode.h. */
#define ZLIB_CONST
#include "agent/decode.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE = 16 << 10, ZSTD_WINDOW_LOG = 23, GZIP_WINDOW = 15 + 16, GZIP_MAGIC = 0x1f };

enum coding { GZIP, DEFLATE, BROTLI, ZSTD };

/* The two bytes that tell zlib's format from raw deflate are awaited in `first`. */
enum { AWAIT, AWAIT_SECOND, INSIDE, AFTER, TRAILING };

struct stage {
    enum coding coding;
    unsigned char state, first;
    z_stream z;
    BrotliDecoderState *br;
    ZSTD_DStream *zstd;
    const struct decode_limits *limits;
    size_t taken; /* of limits->total */
    bool over;    /* more was wanted than there is */
};

struct decode {
    struct decode_limits limits;
    enum status st;
    uint64_t in, out; /* bytes of the whole chain */
    size_t stages;
    struct stage stage[DECODE_CHAIN]; /* in the order in which they are undone */
    decode_fn *fn;
    void *arg; /* of the call at hand */
};

/* --- making ---------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    enum coding coding;
} codings[] = {
    { "gzip", GZIP }, { "x-gzip", GZIP }, { "deflate", DEFLATE },
    { "br", BROTLI }, { "zstd", ZSTD },
};

static bool coding_of(struct slice name, enum coding *out)
{
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        if (slice_ieq(name, slice_str(codings[i].name))) {
            *out = codings[i].coding;
            return true;
        }
    }
    return false;
}

/*
 * Without the check sum behind the data: whether bytes are lost is known by their
 * numbers, whether they are whole by TCP and TLS, as it is for a body without a coding;
 * the sum is a third of the work, and browsers leave it out, too.
 */
static bool reset_zlib(struct stage *s, int window)
{
    return inflateReset2(&s->z, window) == Z_OK && inflateValidate(&s->z, 0) == Z_OK;
}

static bool take(struct stage *s, size_t n)
{
    s->over = s->over || !decode_take(s->limits, n);
    s->taken += s->over ? 0 : n;
    return !s->over;
}

/* Memory of brotli, its size before it. */
enum { SIZE_ROOM = 16 };

static void *take_brotli(void *arg, size_t n)
{
    char *p = take(arg, n) ? malloc(n + SIZE_ROOM) : NULL;
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + SIZE_ROOM;
}

static void free_brotli(void *arg, void *at)
{
    struct stage *s = arg;
    char *p = at ? (char *)at - SIZE_ROOM : NULL;
    size_t n;
    if (!p)
        return;
    memcpy(&n, p, sizeof n);
    decode_return(s->limits, n);
    s->taken -= n;
    free(p);
}

/* zstd says afterwards what it has taken. False: too much. */
static bool settle_zstd(struct stage *s)
{
    size_t n = ZSTD_sizeof_DStream(s->zstd);
    return n <= s->taken || take(s, n - s->taken);
}

/* zlib's window is chosen later for DEFLATE, by the first two bytes. */
static bool stage_init(struct stage *s, enum coding coding,
                       const struct decode_limits *limits)
{
    *s = (struct stage){ .coding = coding, .limits = limits };
    if ((coding == GZIP || coding == DEFLATE) && !take(s, DECODE_INFLATE_BYTES))
        return false;
    switch (coding) {
    case GZIP:
        return inflateInit2(&s->z, GZIP_WINDOW) == Z_OK && reset_zlib(s, GZIP_WINDOW);
    case DEFLATE:
        return inflateInit2(&s->z, 15) == Z_OK;
    case BROTLI:
        s->br = BrotliDecoderCreateInstance(take_brotli, free_brotli, s);
        return s->br != NULL;
    default:
        s->zstd = ZSTD_createDStream();
        return s->zstd && settle_zstd(s) &&
               !ZSTD_isError(
                   ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
    }
}

static void stage_release(struct stage *s)
{
    if (s->coding == GZIP || s->coding == DEFLATE)
        inflateEnd(&s->z);
    if (s->br)
        BrotliDecoderDestroyInstance(s->br);
    ZSTD_freeDStream(s->zstd);
    decode_return(s->limits, s->taken);
}

/* What changes nothing, also as servers name it that take it for a charset. */
static bool is_none(struct slice name)
{
    static const char *const names[] = { "",      "identity", "chunked", "none",
                                         "utf-8", "utf8",     "binary" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, slice_str(names[i])))
            return true;
    return false;
}

enum status decode_new(struct slice list, const struct decode_limits *limits,
                       struct decode **out)
{
    enum coding want[DECODE_CHAIN];
    struct slice name;
    size_t n = 0;
    *out = NULL;
    while (list.n) {
        slice_cut(list, ',', &name, &list);
        name = slice_trim(name);
        if (is_none(name))
            continue;
        if (n == DECODE_CHAIN)
            return ST_LIMIT;
        if (!coding_of(name, &want[n++]))
            return ST_BAD;
    }
    if (!n)
        return ST_OK;
    struct decode *d = calloc(1, sizeof *d);
    if (!d)
        return ST_NOMEM;
    d->limits = *limits;
    while (n) {
        if (!stage_init(&d->stage[d->stages++], want[--n], &d->limits)) {
            decode_free(d);
            return ST_NOMEM;
        }
    }
    *out = d;
    return ST_OK;
}

void decode_free(struct decode *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->stages; i++)
        stage_release(&d->stage[i]);
    free(d);
}

/* --- decoding -------------------------------------------------------------------------
 */

static void feed(struct decode *d, size_t at, struct slice in);

/* Decoded bytes of stage `at`: to the next one, or out. */
static void hand_on(struct decode *d, size_t at, struct slice piece)
{
    if (!piece.n)
        return;
    if (at + 1 < d->stages) {
        feed(d, at + 1, piece);
        return;
    }
    d->out += piece.n;
    if (d->out > d->limits.bytes ||
        (d->out > DECODE_FREE_BYTES && d->out / d->limits.ratio >= d->in))
        d->st = ST_LIMIT;
    else
        d->fn(d->arg, piece);
}

static void fail(struct decode *d, enum status st)
{
    if (d->st == ST_OK)
        d->st = st;
}

/* Each of these decodes what it can of *in into `room`, and returns how much that is. */

static size_t run_zlib(struct decode *d, struct stage *s, struct slice *in, char *room)
{
    size_t take = in->n < 1u << 30 ? in->n : 1u << 30;
    s->z.next_in = (const unsigned char *)in->p;
    s->z.avail_in = (unsigned)take;
    s->z.next_out = (unsigned char *)room;
    s->z.avail_out = PIECE;
    int rc = inflate(&s->z, Z_SYNC_FLUSH);
    *in = slice_from(*in, take - s->z.avail_in);
    if (rc == Z_STREAM_END)
        s->state = AFTER;
    else if (rc == Z_MEM_ERROR)
        fail(d, ST_NOMEM);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        fail(d, ST_BAD);
    return PIECE - s->z.avail_out;
}

static size_t run_brotli(struct decode *d, struct stage *s, struct slice *in, char *room)
{
    size_t have = in->n, left = PIECE;
    const uint8_t *from = (const uint8_t *)in->p;
    uint8_t *to = (uint8_t *)room;
    BrotliDecoderResult rc =
        BrotliDecoderDecompressStream(s->br, &have, &from, &left, &to, NULL);
    *in = slice_from(*in, in->n - have);
    if (rc == BROTLI_DECODER_RESULT_SUCCESS)
        s->state = TRAILING;
    else if (rc == BROTLI_DECODER_RESULT_ERROR)
        fail(d, s->over ? ST_NOMEM : ST_BAD);
    return PIECE - left;
}

static size_t run_zstd(struct decode *d, struct stage *s, struct slice *in, char *room)
{
    ZSTD_inBuffer from = { in->p, in->n, 0 };
    ZSTD_outBuffer to = { room, PIECE, 0 };
    size_t rc = ZSTD_decompressStream(s->zstd, &to, &from);
    *in = slice_from(*in, from.pos);
    if (ZSTD_isError(rc))
        fail(d, ST_BAD);
    else if (!settle_zstd(s))
        fail(d, ST_NOMEM);
    else if (rc == 0)
        s->state = AFTER;
    return to.pos;
}

/* Decodes until the input or the member ends; returns what is left of the input. */
static struct slice inflate_all(struct decode *d, size_t at, struct slice in)
{
    struct stage *s = &d->stage[at];
    char room[PIECE];
    size_t n = PIECE;
    /* A full room may leave more inside the decoder with no input left. */
    while (s->state == INSIDE && d->st == ST_OK && (in.n || n == PIECE)) {
        size_t before = in.n;
        n = s->coding == BROTLI ? run_brotli(d, s, &in, room)
            : s->coding == ZSTD ? run_zstd(d, s, &in, room)
                                : run_zlib(d, s, &in, room);
        hand_on(d, at, slice_of(room, n));
        if (!n && in.n == before)
            return slice_from(in, in.n);
    }
    return in;
}

/* zlib's header: method 8 and a check over both bytes; anything else is raw deflate. */
static bool has_zlib_header(unsigned char a, unsigned char b)
{
    return (a & 0x0f) == 8 && a >> 4 <= 7 && (a << 8 | b) % 31 == 0;
}

static struct slice begin_deflate(struct decode *d, size_t at, struct slice in)
{
    struct stage *s = &d->stage[at];
    char first = (char)s->first;
    bool zlib = has_zlib_header(s->first, (unsigned char)in.p[0]);
    if (!reset_zlib(s, zlib ? 15 : -15)) {
        fail(d, ST_NOMEM);
        return in;
    }
    s->state = INSIDE;
    inflate_all(d, at, slice_of(&first, 1));
    return in;
}

/* Behind the end of a member or frame: another one, or garbage. */
static bool continues(struct stage *s, struct slice in)
{
    unsigned char c = (unsigned char)in.p[0];
    if (s->coding == GZIP && c == GZIP_MAGIC)
        return reset_zlib(s, GZIP_WINDOW);
    return s->coding == ZSTD && (c == 0x28 || (c & 0xf0) == 0x50);
}

static void feed(struct decode *d, size_t at, struct slice in)
{
    struct stage *s = &d->stage[at];
    while (in.n && d->st == ST_OK && s->state != TRAILING) {
        switch (s->state) {
        case AWAIT:
            s->state = s->coding == DEFLATE ? AWAIT_SECOND : INSIDE;
            if (s->state == AWAIT_SECOND) {
                s->first = (unsigned char)in.p[0];
                in = slice_from(in, 1);
            }
            break;
        case AWAIT_SECOND:
            in = begin_deflate(d, at, in);
            break;
        case INSIDE:
            in = inflate_all(d, at, in);
            break;
        default:
            s->state = continues(s, in) ? INSIDE : TRAILING;
        }
    }
}

enum status decode_feed(struct decode *d, struct slice in, decode_fn *out, void *arg)
{
    d->fn = out;
    d->arg = arg;
    /* In parts, so that the ratio compares with what was needed for it. */
    while (in.n && d->st == ST_OK) {
        struct slice part = slice_head(in, PIECE);
        d->in += part.n;
        feed(d, 0, part);
        in = slice_from(in, part.n);
    }
    return d->st;
}

bool decode_whole(const struct decode *d)
{
    for (size_t i = 0; i < d->stages; i++)
        if (d->stage[i].state != AWAIT && d->stage[i].state < AFTER)
            return false;
    return d->st == ST_OK;
}
