/*
 * agent/tls: libssl's own client and server talk; the listener must hand on exactly what
 * they said, however the bytes are cut and whenever the secrets come, and not one byte
 * that is not authentic.
 */
#include "tls_world.h"

#include "agent/keylog.h"
#include "agent/tls.h"

static const struct tls_case cases[] = {
    { "1.3 aes128", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", .rsa = true },
    { "1.3 aes256", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", .rsa = false },
    { "1.3 chacha", TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", .rsa = false },
    { "1.3 key update", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", .key_update = true },
    { "1.3 padding", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", .padding = true },
    { "1.3 retry", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", .retry = true },
    { "1.3 resumed", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", .resume = true },
    { "1.3 early data", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", .early = true },
    { "1.2 ecdhe-ecdsa aes128", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
      .rsa = false },
    { "1.2 ecdhe-ecdsa aes256", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384",
      .rsa = false },
    { "1.2 ecdhe-ecdsa chacha", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305",
      .rsa = false },
    { "1.2 ecdhe-rsa aes128", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256",
      .rsa = true },
    { "1.2 ecdhe-rsa aes256", TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384",
      .rsa = true },
    { "1.2 rsa aes128", TLS1_2_VERSION, "AES128-GCM-SHA256", .rsa = true },
    { "1.2 rsa aes256", TLS1_2_VERSION, "AES256-GCM-SHA384", .rsa = true },
    { "1.2 resumed", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", .resume = true },
    { "1.2 renegotiated", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
      .renegotiate = true },
    { "1.3 ccm", TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256", .key_update = true },
    { "1.3 ccm 8", TLS1_3_VERSION, "TLS_AES_128_CCM_8_SHA256", .rsa = false },
    { "1.2 ecdhe-ecdsa aes128 ccm", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM",
      .rsa = false },
    { "1.2 ecdhe-ecdsa aes256 ccm 8", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-CCM8",
      .rsa = false },
    { "1.2 rsa aes256 ccm", TLS1_2_VERSION, "AES256-CCM", .rsa = true },
    { "1.2 rsa aes128 ccm 8", TLS1_2_VERSION, "AES128-CCM8", .rsa = true },
    { "1.2 resumed by id", TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", .rsa = true,
      .resume = true, .without = SSL_OP_NO_TICKET },
    { "1.2 cbc sha", TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", .rsa = true },
    { "1.2 cbc sha256", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", .resume = true },
    { "1.2 cbc sha384", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", .rsa = false },
    { "1.2 cbc rsa", TLS1_2_VERSION, "AES256-SHA256", .rsa = true },
    { "1.2 cbc sha, mac first", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA", .rsa = true,
      .without = SSL_OP_NO_ENCRYPT_THEN_MAC },
    { "1.2 cbc sha256, mac first", TLS1_2_VERSION, "AES128-SHA256", .rsa = true,
      .without = SSL_OP_NO_ENCRYPT_THEN_MAC },
    { "1.2 cbc sha384, mac first", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384", .rsa = true,
      .without = SSL_OP_NO_ENCRYPT_THEN_MAC },
    { "1.2 without extended master secret", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256",
      .rsa = true, .without = SSL_OP_NO_EXTENDED_MASTER_SECRET },
    { "1.3 client certificate, small records", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
      .rsa = true, .certificate = true, .small_records = true },
    { "1.3 large hello", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", .large_hello = true },
    { "1.3 large hello in small records, retry", TLS1_3_VERSION,
      "TLS_CHACHA20_POLY1305_SHA256", .large_hello = true, .small_records = true,
      .retry = true },
    { "1.3 retry, early data refused", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
      .retry = true, .early = true },
    { "1.3 all at once", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", .resume = true,
      .padding = true, .key_update = true, .large_hello = true, .small_records = true },
    { "1.2 client certificate, small records", TLS1_2_VERSION,
      "ECDHE-RSA-AES128-GCM-SHA256", .rsa = true, .certificate = true,
      .small_records = true, .large_hello = true },
    { "1.2 resumed without extended master secret", TLS1_2_VERSION, "AES256-GCM-SHA384",
      .rsa = true, .resume = true, .without = SSL_OP_NO_EXTENDED_MASTER_SECRET },
};

enum { AES_1_3 = 0, AES_1_2 = 8 };

/* --- the listener ---------------------------------------------------------------------
 */

struct heard {
    struct buf plain[2];
    unsigned gaps[2], closes[2];
    int64_t last_ts;
    bool backwards; /* in time */
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct heard *h = arg;
    assert_int_equal(h->closes[d], 0);
    assert_true(bytes.n > 0);
    buf_add(&h->plain[d], bytes);
    h->backwards |= ts_ns < h->last_ts;
    h->last_ts = ts_ns;
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct heard *h = arg;
    (void)ts_ns, (void)bytes;
    assert_int_equal(h->closes[d], 0);
    h->gaps[d]++;
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct heard *h = arg;
    (void)ts_ns, (void)reset;
    h->closes[d]++;
}

struct listener {
    struct secrets *secrets;
    struct tls *t;
    struct stream_sink sink;
    struct heard heard;
};

static void listener_open(struct listener *l, size_t held)
{
    memset(l, 0, sizeof *l);
    l->secrets = secrets_new(8, 1);
    struct stream_sink inner = { &l->heard, on_data, on_gap, on_close };
    struct tls_options o = { .held_bytes = held };
    l->t = tls_new(&o, l->secrets, &inner);
    tls_sink(l->t, &l->sink);
}

static void listener_learn(struct listener *l, struct slice keys)
{
    struct keylog k;
    keylog_init(&k, l->secrets);
    keylog_feed(&k, keys);
    keylog_finish(&k);
}

static void listener_release(struct listener *l)
{
    tls_free(l->t);
    secrets_free(l->secrets);
    buf_release(&l->heard.plain[0]);
    buf_release(&l->heard.plain[1]);
}

static void listener_end(struct listener *l)
{
    l->sink.close(l->sink.arg, STREAM_UP, 1 << 30, false);
    l->sink.close(l->sink.arg, STREAM_DOWN, 1 << 30, false);
}

/* Parts [from, to) of the trace, each cut at every multiple of `cut` (0: not). */
static void play(struct listener *l, const struct tls_world *w, size_t from, size_t to,
                 size_t cut)
{
    for (size_t i = from; i < to; i++) {
        struct slice s = slice_of(w->wire.p + w->part[i].at, w->part[i].n);
        while (s.n) {
            struct guarded g = guard_copy(slice_head(s, cut ? cut : s.n));
            l->sink.data(l->sink.arg, w->part[i].d, (int64_t)i, g.s);
            s = slice_from(s, g.s.n);
            guard_release(&g);
            if (i % 3 == 0) /* as if others were busier */
                tls_rest(l->t);
        }
    }
}

static void check_heard(const struct tls_world *w, const struct listener *l,
                        const char *how)
{
    const struct tls_info *info = tls_info(l->t);
    for (int d = 0; d < 2; d++) {
        CHECK(slice_eq(buf_slice(&w->plain[d]), buf_slice(&l->heard.plain[d])),
              "%s, %s: direction %d: %zu of %zu bytes", w->c->name, how, d,
              l->heard.plain[d].n, w->plain[d].n);
        bool unseen = w->c->renegotiate || (w->c->early && d == STREAM_UP);
        CHECK(l->heard.gaps[d] == unseen, "%s, %s: %u gaps, %s", w->c->name, how,
              l->heard.gaps[d], info->why ? info->why : "-");
        CHECK(l->heard.closes[d] == 1, "%s, %s: closes", w->c->name, how);
        CHECK(info->plain_bytes[d] == w->plain[d].n, "%s, %s", w->c->name, how);
        CHECK((info->dark_bytes[d] > 0) == unseen, "%s, %s: %d dark bytes", w->c->name,
              how, (int)info->dark_bytes[d]);
    }
    CHECK(!l->heard.backwards, "%s, %s: times go backwards", w->c->name, how);
    CHECK(strcmp(info->sni, "api.example.com") == 0, "%s: sni", w->c->name);
    CHECK(strcmp(info->alpn, "http/1.1") == 0 && info->alpn_chosen, "%s: alpn %s",
          w->c->name, info->alpn);
    CHECK(info->version == w->c->version, "%s: version", w->c->name);
    CHECK(info->held_bytes == 0, "%s, %s", w->c->name, how);
    CHECK(info->key_updates == (w->c->key_update ? 2 : 0), "%s: %u key updates",
          w->c->name, info->key_updates);
    CHECK(info->renegotiations == (w->c->renegotiate ? 1 : 0), "%s: %u", w->c->name,
          info->renegotiations);
}

static void test_cuts(void **state)
{
    (void)state;
    static const size_t cuts[] = { 0, 1, 2, 3, 4, 5, 6, 7, 13, 64, 517, 1460 };
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct tls_world w;
        world_open(&w, &cases[c]);
        world_talk(&w);
        /* each byte is mapped by itself: a third of the cuts for each suite */
        for (size_t i = c % 3; i < COUNT_OF(cuts); i += 3) {
            struct listener l;
            char how[32];
            snprintf(how, sizeof how, "cut by %zu", cuts[i]);
            listener_open(&l, 0);
            listener_learn(&l, buf_slice(&w.keys));
            play(&l, &w, 0, w.parts, cuts[i]);
            listener_end(&l);
            check_heard(&w, &l, how);
            listener_release(&l);
        }
        world_close(&w);
    }
}

/* The secrets come after any part of the trace, before or after the close. */
static void test_late(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct tls_world w;
        world_open(&w, &cases[c]);
        world_talk(&w);
        for (size_t when = 0; when <= w.parts + 1; when++) {
            struct listener l;
            char how[32];
            size_t until = when < w.parts ? when : w.parts;
            snprintf(how, sizeof how, "secrets after %zu parts", when);
            listener_open(&l, 0);
            play(&l, &w, 0, until, 100);
            if (when > w.parts)
                listener_end(&l);
            listener_learn(&l, buf_slice(&w.keys));
            tls_poll(l.t);
            play(&l, &w, until, w.parts, 0);
            if (when <= w.parts)
                listener_end(&l);
            check_heard(&w, &l, how);
            listener_release(&l);
        }
        world_close(&w);
    }
}

static void check_dark(const struct tls_world *w, struct listener *l, const char *how)
{
    const struct tls_info *info = tls_info(l->t);
    for (int d = 0; d < 2; d++) {
        CHECK(l->heard.plain[d].n == 0 && l->heard.closes[d] == 1, "%s, %s", w->c->name,
              how);
        CHECK(info->dark_bytes[d] > 0 && info->dark_bytes[d] <= info->bytes[d], "%s, %s",
              w->c->name, how);
    }
    CHECK(info->state == TLS_DARK && info->why, "%s, %s", w->c->name, how);
    CHECK(strcmp(info->sni, "api.example.com") == 0, "%s, %s", w->c->name, how);
}

/* No secrets, the limit, the secrets of another connection: dark, and counted. */
static void test_dark(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct tls_world w, other;
        struct listener l;
        world_open(&w, &cases[c]);
        world_talk(&w);
        listener_open(&l, 0);
        play(&l, &w, 0, w.parts, 0);
        assert_true(tls_info(l.t)->state == TLS_WAITING);
        listener_end(&l);
        assert_int_equal(l.heard.closes[0], 0); /* they wait behind the records */
        tls_give_up(l.t);
        check_dark(&w, &l, "given up");
        listener_release(&l);

        listener_open(&l, TLS_HELD_NONE);
        play(&l, &w, 0, w.parts, 0);
        assert_int_equal(tls_info(l.t)->held_bytes, 0);
        listener_learn(&l, buf_slice(&w.keys)); /* too late */
        tls_poll(l.t);
        listener_end(&l);
        check_dark(&w, &l, "over the limit");
        listener_release(&l);

        /* The right random with wrong secrets. */
        struct buf mixed = { 0 };
        struct slice mine = buf_slice(&w.keys), yours, a, b;
        world_open(&other, &cases[c]);
        world_talk(&other);
        yours = buf_slice(&other.keys);
        while (slice_cut(mine, '\n', &a, &mine) && slice_cut(yours, '\n', &b, &yours)) {
            size_t secret = slice_chr(a, ' ') + 66;
            buf_add(&mixed, slice_head(a, secret));
            buf_add(&mixed, slice_from(b, secret));
            buf_addc(&mixed, '\n');
        }
        listener_open(&l, 0);
        listener_learn(&l, buf_slice(&mixed));
        play(&l, &w, 0, w.parts, 0);
        listener_end(&l);
        for (int d = 0; d < 2; d++)
            CHECK(l.heard.plain[d].n == 0 && tls_info(l.t)->dark_bytes[d] > 0,
                  "%s: wrong secrets", w.c->name);
        listener_release(&l);
        buf_release(&mixed);
        world_close(&other);
        world_close(&w);
    }
}

/* --- damage ---------------------------------------------------------------------------
 */

/* All of `part` is found in `whole` when gaps are allowed: as a subsequence. */
static bool is_part(struct slice part, struct slice whole)
{
    size_t i = 0;
    for (size_t j = 0; i < part.n && j < whole.n; j++)
        i += part.p[i] == whole.p[j];
    return i == part.n;
}

static void test_flips(void **state)
{
    (void)state;
    struct rng rng = rng_open("tls flips");
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct tls_world w;
        world_open(&w, &cases[c]);
        world_talk(&w);
        for (int round = 0; round < 100; round++) {
            struct listener l;
            size_t flips = 1 + rng_below(&rng, 3), at[3];
            unsigned char mask[3];
            for (size_t f = 0; f < flips; f++) {
                at[f] = rng_below(&rng, w.wire.n);
                mask[f] = (unsigned char)(1 << rng_below(&rng, 8));
                w.wire.p[at[f]] = (char)(w.wire.p[at[f]] ^ mask[f]);
            }
            listener_open(&l, 0);
            listener_learn(&l, buf_slice(&w.keys));
            play(&l, &w, 0, w.parts, 1 + rng_below(&rng, 3000));
            listener_end(&l);
            tls_give_up(l.t);
            for (int d = 0; d < 2; d++) {
                struct slice got = buf_slice(&l.heard.plain[d]);
                CHECK(is_part(got, buf_slice(&w.plain[d])), "%s: not what was said",
                      w.c->name);
                CHECK(got.n == w.plain[d].n || l.heard.gaps[d], "%s: a loss not told",
                      w.c->name);
                CHECK(l.heard.closes[d] == 1, "%s", w.c->name);
            }
            listener_release(&l);
            for (size_t f = 0; f < flips; f++)
                w.wire.p[at[f]] = (char)(w.wire.p[at[f]] ^ mask[f]);
        }
        world_close(&w);
    }
}

/* A connection that begins with a handshake whole, then has `n` records of `size`. */
static void say_records(struct tls_world *w, const struct tls_case *c, size_t n,
                        size_t size)
{
    world_open(w, c);
    world_connect(w);
    for (size_t i = 0; i < n; i++)
        world_say(w, STREAM_DOWN, size, (char)('A' + i % 26));
    world_disconnect(w);
}

/* Some bytes are lost anywhere in the data: all but the records hurt is heard again. */
static void test_gaps(void **state)
{
    (void)state;
    enum { RECORDS = 60, SIZE = 50 };
    static const size_t which[] = { AES_1_3, 2, AES_1_2, 10 };
    struct rng rng = rng_open("tls gaps");
    for (size_t c = 0; c < COUNT_OF(which); c++) {
        struct tls_world w;
        say_records(&w, &cases[which[c]], RECORDS, SIZE);
        size_t data = w.part[w.parts - RECORDS].at; /* begin of the first record */
        for (int round = 0; round < 300; round++) {
            struct listener l;
            size_t from = data + rng_below(&rng, w.wire.n - data);
            size_t lost = 1 + rng_below(&rng, 400);
            size_t to = from + lost < w.wire.n ? from + lost : w.wire.n;
            bool known = rng_below(&rng, 4) != 0;
            listener_open(&l, 0);
            listener_learn(&l, buf_slice(&w.keys));
            play(&l, &w, 0, w.parts - RECORDS, 0);
            l.sink.data(l.sink.arg, STREAM_DOWN, 1 << 20,
                        slice_of(w.wire.p + data, from - data));
            l.sink.gap(l.sink.arg, STREAM_DOWN, 1 << 20, known ? to - from : 0);
            struct slice rest = slice_from(buf_slice(&w.wire), to);
            size_t cut = 1 + rng_below(&rng, 200);
            for (; rest.n; rest = slice_from(rest, cut))
                l.sink.data(l.sink.arg, STREAM_DOWN, 1 << 20, slice_head(rest, cut));
            listener_end(&l);
            struct slice got = buf_slice(&l.heard.plain[STREAM_DOWN]);
            size_t record = (w.wire.n - data) / RECORDS;
            size_t hurt = (to - data + record - 1) / record - (from - data) / record;
            CHECK(is_part(got, buf_slice(&w.plain[STREAM_DOWN])), "not what was said");
            CHECK(got.n == (RECORDS - hurt) * SIZE,
                  "%s: gap %zu..%zu of records of %zu: heard %zu, %zu hurt", w.c->name,
                  from - data, to - data, record, got.n / SIZE, hurt);
            CHECK(l.heard.gaps[STREAM_DOWN] > 0, "the gap is told");
            listener_release(&l);
        }
        world_close(&w);
    }
}

/* More comes than can wait: what does not fit is lost, nothing after it is. */
static void test_overflow(void **state)
{
    (void)state;
    enum { RECORDS = 60, SIZE = 4000, ROOM = 64 << 10 };
    static const size_t which[] = { AES_1_3, 2, AES_1_2, 10 };
    for (size_t c = 0; c < 2 * COUNT_OF(which); c++) {
        enum stream_dir d = c % 2 ? STREAM_UP : STREAM_DOWN;
        struct tls_world w;
        world_open(&w, &cases[which[c / 2]]);
        world_connect(&w);
        for (size_t i = 0; i < RECORDS; i++)
            world_say(&w, d, SIZE, (char)('A' + i % 26));
        world_disconnect(&w);
        for (size_t late = 0; late <= RECORDS; late += 5) {
            struct listener l;
            size_t until = w.parts - RECORDS + late;
            listener_open(&l, ROOM);
            play(&l, &w, 0, until, 1000);
            CHECK(tls_info(l.t)->held_bytes <= ROOM, "%zu", late);
            listener_learn(&l, buf_slice(&w.keys));
            tls_poll(l.t);
            play(&l, &w, until, w.parts, 1000);
            listener_end(&l);
            struct slice got = buf_slice(&l.heard.plain[d]);
            size_t room = d == STREAM_UP ? ROOM / 2 : ROOM,
                   fits = room / (SIZE + 100) - 1;
            size_t least = RECORDS - late + (late < fits ? late : fits);
            CHECK(is_part(got, buf_slice(&w.plain[d])), "%s: not what was said",
                  w.c->name);
            CHECK(got.n >= least * SIZE, "%s after %zu: %zu of %zu", w.c->name, late,
                  got.n / SIZE, least);
            CHECK(l.heard.gaps[d] == (got.n < RECORDS * SIZE), "%s: %u gaps", w.c->name,
                  l.heard.gaps[d]);
            CHECK((tls_info(l.t)->skipped_bytes > 0) == (got.n < RECORDS * SIZE), "%zu",
                  late);
            CHECK(!tls_info(l.t)->why, "%s: dark", w.c->name);
            listener_release(&l);
        }
        world_close(&w);
    }
}

static void test_sniff(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        bool is;
    } rows[] = {
        { { "", 0 }, false },
        { { "\x16", 1 }, true },
        { { "\x16\x03\x01\x02\x00\x01", 6 }, true },
        { { "\x17\x03\x03\x00\x20", 5 }, true },
        { { "\x17\x03\x03\xff\xff", 5 }, false },
        { { "\x16\x03\x03\x00\x00", 5 }, false },
        { { "\x16\x02\x03", 3 }, false },
        { { "\x16\x03\x07", 3 }, false },
        { { "GET / HTTP/1.1", 14 }, false },
        { { "PRI * HTTP/2.0", 14 }, false },
        { { "HTTP/1.1 200 OK", 15 }, false },
        { { "\x00\x00\x12\x04\x00", 5 }, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(tls_sniff(rows[i].in) == rows[i].is, "row %zu", i);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_world w;
        world_open(&w, &cases[i]);
        world_talk(&w);
        for (size_t n = 1; n <= w.wire.n; n += 1 + n / 8)
            assert_true(tls_sniff(slice_head(buf_slice(&w.wire), n)));
        world_close(&w);
    }
    assert_string_equal(tls_version_name(0x0304), "TLSv1.3");
    assert_string_equal(tls_version_name(0x0399), "TLS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),  cmocka_unit_test(test_late),
        cmocka_unit_test(test_dark),  cmocka_unit_test(test_flips),
        cmocka_unit_test(test_gaps),  cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_sniff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
