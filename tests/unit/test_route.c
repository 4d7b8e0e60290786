/* Routes, request framing, and where a server may listen. */
#include "testing.h"

#include "collector/config.h"
#include "collector/framing.h"
#include "collector/route.h"

static void test_routes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        enum route_id id;
        const char *rest;
    } rows[] = {
        { "POST", "/api/v1/usage", ROUTE_INGEST, "" },
        { "GET", "/api/v1/usage", ROUTE_BAD_METHOD, "" },
        { "GET", "/api/v1/usage/daily", ROUTE_USAGE_DAILY, "" },
        { "HEAD", "/metrics", ROUTE_METRICS, "" },
        { "GET", "/api/v1/dimensions/model", ROUTE_DIMENSION, "model" },
        { "GET", "/api/v1/dimensions/", ROUTE_NONE, "" },
        { "GET", "/api/v1/dimensions/a/b", ROUTE_NONE, "" },
        { "GET", "/api/v1/usage/daily/", ROUTE_NONE, "" },
        { "GET", "/../etc/passwd", ROUTE_NONE, "" },
        { "DELETE", "/healthz", ROUTE_BAD_METHOD, "" },
        { "GET", "", ROUTE_NONE, "" },
        { "GET", "/", ROUTE_PAGE, "" },
        { "GET", "/api/v1", ROUTE_INDEX, "" },
        { "GET", "/web/app.js", ROUTE_WEB, "app.js" },
        { "GET", "/web/", ROUTE_NONE, "" },
        { "GET", "/web/../tokens", ROUTE_NONE, "" },
        { "GET", "/api/v1/whatif/faq", ROUTE_WHATIF, "faq" },
        { "GET", "/api/v1/projections/<b>a</b>", ROUTE_PROJECTION, "<b>a</b>" },
        { "GET", "/api/v1/projections/", ROUTE_NONE, "" },
        { "GET", "/api/v1/projections", ROUTE_PROJECTIONS, "" },
        { "GET", "/api/v1/projections", ROUTE_PROJECTIONS, "" },
        { "GET", "/api/v1/projections/faq", ROUTE_PROJECTION, "faq" },
        { "GET", "/api/v1/decision", ROUTE_DECISIONS, "" },
        { "GET", "/api/v1/decision/faq", ROUTE_DECISION, "faq" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice rest;
        const char *allow;
        const struct route *r =
            route_find(slice_str(rows[i].method), slice_str(rows[i].path), &rest, &allow);
        CHECK(r->id == rows[i].id, "%s %s", rows[i].method, rows[i].path);
        if (*rows[i].rest)
            CHECK(slice_eq(rest, slice_str(rows[i].rest)), "%s", rows[i].path);
        CHECK((*allow != 0) == (r->id == ROUTE_BAD_METHOD), "%s", rows[i].path);
    }
}

static void test_framing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fields[8]; /* name, value, … */
        bool fine;
    } rows[] = {
        { "plain", { "Host", "a", "Content-Length", "5" }, true },
        { "chunked", { "host", "a", "transfer-encoding", "Chunked" }, true },
        { "no host", { "Accept", "*/*" }, false },
        { "two hosts", { "Host", "a", "Host", "a" }, false },
        { "two lengths",
          { "Host", "a", "Content-Length", "5", "content-length", "5" },
          false },
        { "length and chunks",
          { "Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked" },
          false },
        { "sign in length", { "Host", "a", "Content-Length", "+5" }, false },
        { "list of lengths", { "Host", "a", "Content-Length", "5, 5" }, false },
        { "gzip, chunked", { "Host", "a", "Transfer-Encoding", "gzip, chunked" }, false },
        { "chunked twice",
          { "Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked" },
          false },
        { "blank in name", { "Host", "a", "Transfer-Encoding ", "chunked" }, false },
        { "newline in value", { "Host", "a\nX: y" }, false },
        { "tab in value", { "Host", "a", "Accept", "a\tb" }, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct framing f = { 0 };
        for (size_t k = 0; k < 8 && rows[i].fields[k]; k += 2)
            framing_field(&f, slice_str(rows[i].fields[k]),
                          slice_str(rows[i].fields[k + 1]));
        CHECK(!framing_verdict(&f, SLICE("/x")) == rows[i].fine, "%s", rows[i].name);
    }
    struct framing f = { 0 };
    framing_field(&f, SLICE("Host"), SLICE("a"));
    assert_non_null(framing_verdict(&f, SLICE("/a\rb")));
    framing_field(&f, SLICE("X"), (struct slice){ "a\0b", 3 });
    assert_non_null(framing_verdict(&f, SLICE("/x")));
}

static void test_local_host(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool local;
    } rows[] = {
        { "127.0.0.1:8420", true },
        { "localhost", true },
        { "LOCALHOST:1", true },
        { "[::1]:8420", true },
        { "[::1]", true },
        { "evil.example", false },
        { "", false },
        { "127.evil.example", false },
        { "[::1].evil", false },
        { "localhost:x", false },
        { "localhost.evil", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(framing_local_host(slice_str(rows[i].host)) == rows[i].local, "'%s'",
              rows[i].host);
}

static void test_listen(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *host;
        int port; /* -1: refused */
        bool loopback;
    } rows[] = {
        { "127.0.0.1:8420", "127.0.0.1", 8420, true },
        { "[::1]:0", "::1", 0, true },
        { "0.0.0.0:80", "0.0.0.0", 80, false },
        { "localhost:80", "localhost", 80, true },
        { "host", "", -1, false },
        { ":80", "", -1, false },
        { "[::1]", "", -1, false },
        { "a:65536", "", -1, false },
        { "a:8x", "", -1, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char host[64];
        uint16_t port = 0;
        enum status st = config_listen(rows[i].listen, host, &port);
        CHECK((st == ST_OK) == (rows[i].port >= 0), "%s", rows[i].listen);
        if (st != ST_OK)
            continue;
        CHECK(port == rows[i].port && !strcmp(host, rows[i].host), "%s", rows[i].listen);
        CHECK(config_loopback(host) == rows[i].loopback, "%s", rows[i].listen);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    struct arena a;
    struct config cf;
    struct buf why = { 0 };
    arena_init(&a, 1 << 20);
    CHECK(config_load(NULL, &a, &cf, &why) == ST_OK, "%s", buf_cstr(&why));
    assert_string_equal(cf.listen, "127.0.0.1:8420");
    assert_int_equal(cf.retention.hourly_ms, INT64_C(400) * 86400000);
    assert_int_equal(cf.limits.batch_bytes, 64 << 20);
    assert_int_equal(cf.read, CONFIG_READ_LOOPBACK);
    arena_release(&a);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),     cmocka_unit_test(test_framing),
        cmocka_unit_test(test_local_host), cmocka_unit_test(test_listen),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
