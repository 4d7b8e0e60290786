/* agent/keylog: the same secrets and counts however the file is cut. */
#include "testing.h"

#include <errno.h>

#include "agent/keylog.h"

#define R32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define S32 "A0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define S48 S32 "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"

static const struct {
    const char *in;
    unsigned secrets, ignored, bad;
} cases[] = {
    { "", 0, 0, 0 },
    { "\n\r\n# comment\n", 0, 3, 0 },
    { "CLIENT_RANDOM " R32 " " S48 "\n", 1, 0, 0 },
    { "CLIENT_RANDOM " R32 " " S48, 1, 0, 0 },
    { "CLIENT_RANDOM " R32 " " S48 "\r\n", 1, 0, 0 },
    { "CLIENT_TRAFFIC_SECRET_0 " R32 " " S32 "\nSERVER_TRAFFIC_SECRET_0 " R32 " " S48
      "\nCLIENT_HANDSHAKE_TRAFFIC_SECRET " R32 " " S32
      "\nSERVER_HANDSHAKE_TRAFFIC_SECRET " R32 " " S32 "\n",
      4, 0, 0 },
    { "EXPORTER_SECRET " R32 " " S32 "\nCLIENT_EARLY_TRAFFIC_SECRET " R32 " " S32
      "\nRSA 0011223344556677 " S48 "\n",
      0, 3, 0 },
    { "CLIENT_RANDOM\n", 0, 0, 1 },
    { "CLIENT_RANDOM " R32 "\n", 0, 0, 1 },
    { "CLIENT_RANDOM " R32 " \n", 0, 0, 1 },
    { "CLIENT_RANDOM " R32 " " S32 "\n", 0, 0, 1 },   /* a master secret has 48 */
    { "CLIENT_RANDOM " R32 "00 " S48 "\n", 0, 0, 1 }, /* a random has 32 */
    { "CLIENT_RANDOM " R32 " " S48 "0\n", 0, 0, 1 },
    { "CLIENT_RANDOM " R32 " " S48 " more\n", 0, 0, 1 },
    { "CLIENT_TRAFFIC_SECRET_0 " R32 " zz\n", 0, 0, 1 },
    { "client_random " R32 " " S48 "\n", 0, 0, 1 },
    { "\x80\xff\x01 " R32 " " S48 "\n\x1f\x8b\n", 0, 0, 2 },
};

static void run(struct keylog *k, struct secrets *s, struct slice in, size_t cut)
{
    keylog_init(k, s);
    keylog_feed(k, slice_head(in, cut));
    keylog_feed(k, slice_from(in, cut));
    keylog_finish(k);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice in = slice_str(cases[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            struct secrets *s = secrets_new(4, 1);
            struct keylog k;
            run(&k, s, in, cut);
            CHECK(k.secrets == cases[i].secrets && k.ignored == cases[i].ignored &&
                      k.bad == cases[i].bad && k.lost == 0,
                  "row %zu cut %zu: %d %d %d", i, cut, (int)k.secrets, (int)k.ignored,
                  (int)k.bad);
            for (size_t b = 0; b < sizeof k.line; b++)
                CHECK(!k.line[b], "row %zu cut %zu: the line is not zeroed", i, cut);
            secrets_free(s);
        }
    }
}

static void test_value(void **state)
{
    (void)state;
    struct secrets *s = secrets_new(4, 1);
    struct keylog k;
    run(&k, s, SLICE("CLIENT_RANDOM " R32 " " S48 "\n"), 20);
    unsigned char random[32], want[48];
    for (unsigned i = 0; i < 48; i++) {
        random[i % 32] = (unsigned char)(i % 32);
        want[i] = (unsigned char)(0xa0 + i);
    }
    assert_true(slice_eq(secrets_get(s, slice_of(random, 32), SECRET_MASTER),
                         slice_of(want, 48)));
    secrets_free(s);
}

static void test_overlong(void **state)
{
    (void)state;
    static char line[100000];
    struct secrets *s = secrets_new(4, 1);
    struct keylog k;
    keylog_init(&k, s);
    memset(line, 'A', sizeof line);
    for (size_t n = KEYLOG_LINE_BYTES - 1; n <= KEYLOG_LINE_BYTES + 1; n++) {
        keylog_feed(&k, slice_of(line, n));
        keylog_feed(&k, SLICE("\n"));
    }
    keylog_feed(&k, slice_of(line, sizeof line));
    keylog_feed(&k, SLICE("\nCLIENT_RANDOM " R32 " " S48 "\n"));
    assert_int_equal(k.bad, 4);
    assert_int_equal(k.secrets, 1);
    secrets_free(s);
}

static void test_load(void **state)
{
    (void)state;
    struct secrets *s = secrets_new(4, 1);
    struct keylog k;
    char path[] = "/tmp/test_keylog.XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "CLIENT_RANDOM " R32 " " S48;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    keylog_init(&k, s);
    assert_int_equal(keylog_load(&k, path), ST_OK);
    assert_int_equal(k.secrets, 1);
    unlink(path);
    assert_int_equal(keylog_load(&k, path), ST_NOT_FOUND);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(keylog_load(&k, "/"), ST_IO);
    secrets_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_overlong),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
