/* agent/reassembly: what comes out of segments that were cut, swapped, repeated, lost. */
#include "agent/reassembly.h"
#include "common/buf.h"
#include "testing.h"

#define SECOND INT64_C(1000000000)

static const struct reassembly_limits LIMITS = { .flow_bytes = 1 << 20,
                                                 .total_bytes = 1 << 24,
                                                 .reorder_ns = SECOND / 5,
                                                 .hole_ns = 10 * SECOND };

struct world {
    struct reassembly r;
    struct reassembly_env env;
    struct buf log; /* what the sink heard; runs of data of a direction are joined */
    int last;       /* direction of the data at the end of log, or -1 */
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct world *w = arg;
    (void)ts_ns;
    assert_true(bytes.n > 0);
    if (w->last != (int)d)
        buf_addc(&w->log, d == STREAM_UP ? '>' : '<');
    buf_add(&w->log, bytes);
    w->last = (int)d;
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct world *w = arg;
    (void)ts_ns;
    buf_addf(&w->log, "[%c%llu]", d == STREAM_UP ? '>' : '<', (unsigned long long)bytes);
    w->last = -1;
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct world *w = arg;
    (void)ts_ns;
    buf_addf(&w->log, "%c%s", d == STREAM_UP ? ')' : '(', reset ? "!" : "");
    w->last = -1;
}

static struct stream_sink sink_of(struct world *w)
{
    return (struct stream_sink){ w, on_data, on_gap, on_close };
}

static void open_world(struct world *w)
{
    *w = (struct world){ .env = { .limits = LIMITS }, .last = -1 };
    reassembly_init(&w->r);
}

static void close_world(struct world *w)
{
    reassembly_release(&w->r, &w->env);
    assert_int_equal(w->r.queued_bytes, 0);
    assert_int_equal(w->env.queued_bytes, 0);
    buf_release(&w->log);
}

/* --- examples -------------------------------------------------------------------------
 */

enum { S = PACKET_SYN, A = PACKET_ACK, F = PACKET_FIN, R = PACKET_RST };
enum { UP = STREAM_UP, DOWN = STREAM_DOWN };

struct row {
    int d;
    uint32_t seq, ack;
    unsigned flags;
    const char *text;
    uint32_t missing;
    int ms; /* time since the first packet */
};

#define HELLO                                                                            \
    { UP, 99, 0, S, "", 0, 0 }, { DOWN, 499, 100, S | A, "", 0, 0 },                     \
    {                                                                                    \
        UP, 100, 500, A, "", 0, 0                                                        \
    }

static const struct {
    const char *name;
    struct row rows[12];
    const char *heard;  /* before the end of the capture */
    const char *at_end; /* what it adds */
} examples[] = {
    { "request, reply, FIN on both sides",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { DOWN, 500, 103, A, "xyz", 0, 0 },
        { UP, 103, 503, F | A, "", 0, 0 },
        { DOWN, 503, 104, F | A, "", 0, 0 } },
      ">abc<xyz)(",
      "" },
    { "two segments swapped",
      { HELLO, { UP, 103, 500, A, "def", 0, 0 }, { UP, 100, 500, A, "abc", 0, 0 } },
      ">abcdef",
      "[>0])[<0](" },
    { "repeated and overlapping: the first wins",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 100, 500, A, "XXX", 0, 0 },
        { UP, 105, 500, A, "fg", 0, 0 },
        { UP, 101, 500, A, "XXdeX", 0, 0 } },
      ">abcdefg",
      "[>0])[<0](" },
    { "an overlap on both sides of what is queued",
      { HELLO,
        { UP, 104, 500, A, "e", 0, 0 },
        { UP, 102, 500, A, "cdXf", 0, 0 },
        { UP, 100, 500, A, "ab", 0, 0 } },
      ">abcdef",
      "[>0])[<0](" },
    { "sequence numbers wrap",
      { { UP, 0xfffffffe, 0, S, "", 0, 0 },
        { UP, 0xffffffff, 0, A, "a", 0, 0 },
        { UP, 1, 0, A, "cd", 0, 0 },
        { UP, 0, 0, A, "b", 0, 0 } },
      ">abcd",
      "[>0])[<0](" },
    { "keep-alive probes",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 102, 500, A, "", 0, 0 },
        { UP, 102, 500, A, "\1", 0, 0 },
        { UP, 103, 500, A, "def", 0, 0 } },
      ">abcdef",
      "[>0])[<0](" },
    { "SYN with data",
      { { UP, 99, 0, S, "ab", 0, 0 }, { UP, 102, 0, A, "cd", 0, 0 } },
      ">abcd",
      "[>0])[<0](" },
    { "SYN repeated, SYN/ACK not captured",
      { { UP, 99, 0, S, "", 0, 0 },
        { UP, 99, 0, S, "", 0, 0 },
        { UP, 100, 500, A, "abc", 0, 0 },
        { DOWN, 503, 103, A, "def", 0, 0 },
        { DOWN, 500, 103, A, "abc", 0, 0 } },
      ">abc<abcdef",
      "[>0])[<0](" },
    { "the reply is captured before the request",
      { HELLO,
        { DOWN, 500, 103, A, "xyz", 0, 0 },
        { DOWN, 503, 104, F | A, "", 0, 0 },
        { UP, 103, 503, F | A, "", 0, 0 },
        { UP, 100, 500, A, "abc", 0, 0 } },
      ">abc<xyz)(",
      "" },
    { "data captured before the SYN",
      { { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 99, 0, S, "", 0, 0 },
        { DOWN, 499, 100, S | A, "", 0, 0 },
        { DOWN, 500, 103, A, "xyz", 0, 0 } },
      ">abc<xyz",
      "[>0])[<0](" },
    { "joined in the middle, swapped",
      { { UP, 203, 500, A, "def", 0, 0 },
        { UP, 200, 500, A, "abc", 0, 0 },
        { DOWN, 500, 206, A, "xyz", 0, 0 },
        { UP, 206, 503, A, "", 0, 0 } },
      "[>0][<0]>abcdef<xyz",
      "[>0])[<0](" },
    { "joined by a keep-alive probe of a Windows host",
      { { UP, 199, 500, A, "\0", 0, 0 }, { UP, 200, 500, A, "abc", 0, 0 } },
      "",
      "[>0]>abc[>0])[<0](" },
    { "a hole that the receiver has: lost by the capture",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 106, 500, A, "ghi", 0, 0 },
        { DOWN, 500, 109, A, "", 0, 0 },
        { DOWN, 500, 109, A, "", 0, 300 } },
      ">abc[>3]>ghi",
      "[>0])[<0](" },
    { "a hole that the receiver has too: a retransmission comes",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 106, 500, A, "ghi", 0, 0 },
        { DOWN, 500, 103, A, "", 0, 300 },
        { UP, 103, 500, A, "def", 0, 3000 } },
      ">abcdefghi",
      "[>0])[<0](" },
    { "a hole that nobody fills",
      { HELLO,
        { UP, 103, 500, A, "def", 0, 0 },
        { DOWN, 500, 100, A, "", 0, 9000 },
        { DOWN, 500, 100, A, "", 0, 11000 } },
      "[>3]>def",
      "[>0])[<0](" },
    { "the whole request is lost, but acknowledged",
      { HELLO, { DOWN, 500, 150, A, "xyz", 0, 0 }, { DOWN, 503, 150, A, "", 0, 300 } },
      "[>50]<xyz",
      "[>0])[<0](" },
    { "the end of a reply is lost before its FIN",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { DOWN, 500, 103, A, "xy", 0, 0 },
        { DOWN, 510, 103, F | A, "", 0, 0 } },
      ">abc<xy",
      "[<8]([>0])" },
    { "cut by the snap length",
      { HELLO,
        { UP, 100, 500, A, "ab", 5, 0 },
        { UP, 107, 500, A, "hi", 0, 0 },
        { UP, 109, 500, A, "", 4, 0 },
        { UP, 113, 500, A, "no", 0, 0 } },
      ">ab[>5]>hi[>4]>no",
      "[>0])[<0](" },
    { "reset, with a segment that comes out late",
      { HELLO,
        { UP, 100, 500, A, "abc", 0, 0 },
        { UP, 103, 503, R | A, "", 0, 0 },
        { DOWN, 500, 103, A, "xyz", 0, 0 },
        { DOWN, 503, 103, A, "", 0, 300 } },
      ">abc<xyz)!(!",
      "" },
    { "half closed, then reset",
      { HELLO,
        { UP, 100, 500, F | A, "abc", 0, 0 },
        { DOWN, 500, 104, A, "xyz", 0, 0 },
        { UP, 104, 0, R, "", 0, 0 },
        { DOWN, 503, 104, A, "", 0, 300 } },
      ">abc)<xyz(!",
      "" },
    { "a reset of somebody else",
      { HELLO, { UP, 0x60000000, 0, R, "", 0, 0 }, { UP, 100, 500, A, "abc", 0, 300 } },
      ">abc",
      "[>0])[<0](" },
    { "each waits for the other",
      { HELLO, { UP, 100, 503, A, "abc", 0, 0 }, { DOWN, 500, 103, A, "xyz", 0, 0 } },
      "",
      ">abc<xyz[>0])[<0](" },
};

static void run(struct world *w, const struct row *rows, size_t n)
{
    struct stream_sink sink = sink_of(w);
    for (size_t i = 0; i < n && rows[i].text; i++) {
        const struct row *o = &rows[i];
        size_t bytes = strlen(o->text) + (o->text[0] == 0 && o->seq == 199);
        struct guarded g = guard_copy(slice_of(o->text, bytes));
        struct packet p = { .seq = o->seq,
                            .ack = o->ack,
                            .flags = (uint8_t)o->flags,
                            .payload = g.s,
                            .missing = o->missing };
        int64_t ts = SECOND + o->ms * INT64_C(1000000);
        reassembly_tick(&w->r, &w->env, ts, &sink);
        reassembly_feed(&w->r, &w->env, (enum stream_dir)o->d, &p, ts, &sink);
        guard_release(&g);
    }
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct world w;
        open_world(&w);
        struct stream_sink sink = sink_of(&w);
        run(&w, examples[i].rows, COUNT_OF(examples[i].rows));
        CHECK(strcmp(buf_cstr(&w.log), examples[i].heard) == 0, "%s: %s",
              examples[i].name, buf_cstr(&w.log));
        buf_reset(&w.log);
        w.last = -1;
        reassembly_finish(&w.r, &w.env, 20 * SECOND, &sink);
        CHECK(strcmp(buf_cstr(&w.log), examples[i].at_end) == 0, "%s, at the end: %s",
              examples[i].name, buf_cstr(&w.log));
        assert_true(reassembly_over(&w.r));
        close_world(&w);
    }
}

static void test_new_connection(void **state)
{
    (void)state;
    static const struct row rows[] = { HELLO, { UP, 100, 500, A, "abc", 0, 0 } };
    struct world w;
    open_world(&w);
    run(&w, rows, COUNT_OF(rows));
    struct packet syn = { .seq = 99, .flags = S };
    assert_false(reassembly_is_new(&w.r, STREAM_UP, &syn));
    syn.seq = 7000;
    assert_true(reassembly_is_new(&w.r, STREAM_UP, &syn));
    syn.flags = S | A;
    assert_false(reassembly_is_new(&w.r, STREAM_UP, &syn));
    close_world(&w);
}

static void test_bounded(void **state)
{
    (void)state;
    static char block[1000];
    struct world w;
    open_world(&w);
    struct stream_sink sink = sink_of(&w);
    w.env.limits.flow_bytes = 50000;
    for (uint32_t i = 0; i < 10000; i++) { /* every other block is lost */
        struct packet p = { .seq = 1000 + i * 2000, .payload = { block, sizeof block } };
        reassembly_feed(&w.r, &w.env, STREAM_UP, &p, SECOND, &sink);
        assert_true(w.r.queued_bytes <= 50000);
        buf_reset(&w.log);
    }
    assert_true(w.env.stats.gaps > 9900);
    close_world(&w);
}

/* --- property -------------------------------------------------------------------------
 */

enum { STREAM_BYTES = 20000, SEGMENTS = 4000 };

struct segment {
    uint32_t at, n;
    bool removed;
};

struct truth {
    uint8_t bytes[STREAM_BYTES];
    bool there[STREAM_BYTES];
    size_t at;
};

static void check_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct truth *t = arg;
    (void)d, (void)ts_ns;
    assert_true(t->at + bytes.n <= STREAM_BYTES);
    for (size_t i = 0; i < bytes.n; i++, t->at++)
        assert_true(t->there[t->at] && t->bytes[t->at] == (uint8_t)bytes.p[i]);
}

static void check_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct truth *t = arg;
    (void)d, (void)ts_ns;
    assert_true(t->at + bytes <= STREAM_BYTES);
    for (; bytes; bytes--, t->at++)
        assert_false(t->there[t->at]);
}

static void check_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    (void)arg, (void)d, (void)ts_ns, (void)reset;
}

/* Cut into random segments, repeat and overlap some, remove some, swap within a window.
 */
static size_t disorder(struct rng *rng, struct segment *out, bool losses)
{
    size_t n = 0;
    for (uint32_t at = 0; at < STREAM_BYTES;) {
        uint32_t left = STREAM_BYTES - at, size = 1 + (uint32_t)rng_below(rng, 60);
        size = size < left ? size : left;
        out[n++] = (struct segment){ at, size, losses && rng_below(rng, 50) == 0 };
        at += size;
        if (at < STREAM_BYTES && rng_below(rng, 20) == 0) {
            uint32_t back = (uint32_t)rng_below(rng, 100);
            back = back < at ? back : at;
            out[n++] = (struct segment){ at - back, back + 1, false };
        }
    }
    for (size_t i = 0; i + 3 < n; i++) {
        size_t j = i + rng_below(rng, 4);
        struct segment s = out[i];
        if (rng_below(rng, 3) == 0) {
            out[i] = out[j];
            out[j] = s;
        }
    }
    return n;
}

static void test_random(void **state)
{
    (void)state;
    struct rng rng = rng_open("reassembly");
    struct truth *t = calloc(1, sizeof *t);
    struct segment *segs = calloc(SEGMENTS, sizeof *segs);
    struct stream_sink sink = { t, check_data, check_gap, check_close };
    for (int turn = 0; turn < 200; turn++) {
        struct world w;
        open_world(&w);
        uint32_t isn = (uint32_t)(rng_next(&rng) | (turn % 2 ? 0xfffff000 : 0));
        *t = (struct truth){ .at = 0 };
        for (size_t i = 0; i < STREAM_BYTES; i++)
            t->bytes[i] = (uint8_t)rng_next(&rng);
        size_t n = disorder(&rng, segs, turn % 4 >= 2);
        assert_true(n <= SEGMENTS);
        for (size_t i = 0; i < n; i++)
            for (uint32_t k = 0; k < segs[i].n && !segs[i].removed; k++)
                t->there[segs[i].at + k] = true;
        struct packet syn = { .seq = isn, .flags = S };
        reassembly_feed(&w.r, &w.env, STREAM_UP, &syn, 0, &sink);
        for (size_t i = 0; i < n; i++) {
            struct guarded g = guard_copy(slice_of(t->bytes + segs[i].at, segs[i].n));
            struct packet p = { .seq = isn + 1 + segs[i].at, .payload = g.s };
            if (!segs[i].removed)
                reassembly_feed(&w.r, &w.env, STREAM_UP, &p, (int64_t)i, &sink);
            guard_release(&g);
        }
        struct packet fin = { .seq = isn + 1 + STREAM_BYTES, .flags = F };
        reassembly_feed(&w.r, &w.env, STREAM_UP, &fin, (int64_t)n, &sink);
        if (turn % 4 < 2)
            assert_true(w.r.side[STREAM_UP].closed);
        reassembly_finish(&w.r, &w.env, SECOND, &sink);
        assert_int_equal(t->at, STREAM_BYTES);
        close_world(&w);
    }
    free(t);
    free(segs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_new_connection),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
