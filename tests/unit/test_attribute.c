/* agent/attribute and http_notes: whose call, retries, what a rate limit leaves. */
#include "testing.h"

#include "agent/attribute.h"
#include "agent/config.h"

static const char config[] = "capture:\n"
                             "  interface: lo\n"
                             "  app: rest\n"
                             "  environment: prod\n"
                             "  apps:\n"
                             "    - ports: [8080, 9000-9010]\n"
                             "      path: /llm/\n"
                             "      app: gateway\n"
                             "      environment: test\n"
                             "    - header: X-App\n"
                             "    - header: \"User-Agent: node*\"\n"
                             "      app: web\n"
                             "    - process: gunicorn*\n"
                             "    - owner: \"4711\"\n"
                             "      app: batch\n";

static struct attribute_process known;

static struct attribute_process ask(void *arg)
{
    (void)arg;
    return known;
}

static const struct {
    uint16_t port;
    const char *target, *name, *value, *process;
    uint32_t owner;
    const char *app, *environment;
} rows[] = {
    { 443, "/v1", "X-Other", "a", NULL, 0, "rest", "prod" },
    { 8080, "/v1", NULL, NULL, NULL, 0, "rest", "prod" },
    { 8080, "/llm/v1", NULL, NULL, NULL, 0, "gateway", "test" },
    { 9010, "http://h:9/llm/v1", NULL, NULL, NULL, 0, "gateway", "test" },
    { 9011, "/llm/v1", "x-app", " shop ", NULL, 0, "shop", "prod" },
    { 443, "/", "x-app", "", NULL, 0, "rest", "prod" },
    { 443, "/", "user-agent", "node-fetch/1", NULL, 0, "web", "prod" },
    { 443, "/", "user-agent", "curl", NULL, 0, "rest", "prod" },
    { 443, "/", NULL, NULL, "gunicorn: w", 1, "gunicorn: w", "prod" },
    { 443, "/", NULL, NULL, "curl", 4711, "batch", "prod" },
    { 443, "/", NULL, NULL, "", 4711, "batch", "prod" },
    { 443, "/", NULL, NULL, "curl", 1, "rest", "prod" },
};

static void test_rows(void **state)
{
    struct arena a;
    struct config c;
    struct buf why = { 0 };
    (void)state;
    arena_init(&a, 1 << 20);
    enum status st = config_parse(slice_str(config), "agent.yaml", &a, &c, &why);
    CHECK(st == ST_OK, "%s", buf_cstr(&why));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct extract_header h = { slice_str(rows[i].name),
                                          slice_str(rows[i].value) };
        const struct attribute_facts f = { .port = rows[i].port,
                                           .target = slice_str(rows[i].target),
                                           .field = &h,
                                           .fields = rows[i].name != NULL,
                                           .process = ask };
        struct http_notes n;
        struct slice app, environment;
        known = (struct attribute_process){ rows[i].process != NULL, rows[i].owner,
                                            slice_str(rows[i].process) };
        http_notes_init(&n);
        attribute(&c.capture, &f, &n);
        attribute_names(&c.capture, &n, &app, &environment);
        CHECK(slice_eq(app, slice_str(rows[i].app)), "row %zu: %.*s", i, SLICE_FMT(app));
        CHECK(slice_eq(environment, slice_str(rows[i].environment)), "row %zu", i);
    }
    arena_release(&a);
    buf_release(&why);
}

static void test_long_label(void **state)
{
    static char value[300];
    struct config_app r = { .header = "x-app",
                            .path = "",
                            .process = "",
                            .owner = "",
                            .app = "",
                            .environment = "",
                            .header_name = "x-app",
                            .header_value = "" };
    struct config_capture c = { .app = "", .environment = "", .apps = { &r, 1 } };
    struct slice app, environment;
    struct http_notes n;
    (void)state;
    memset(value, 'x', sizeof value);
    const struct extract_header h = { SLICE("X-APP"), slice_of(value, sizeof value) };
    const struct attribute_facts f = { .field = &h, .fields = 1 };
    http_notes_init(&n);
    attribute(&c, &f, &n);
    attribute_names(&c, &n, &app, &environment);
    assert_int_equal(app.n, HTTP_LABEL);
}

static void test_notes(void **state)
{
    static const struct {
        const char *name, *value;
        bool request;
        int64_t retry, requests, tokens;
    } notes[] = {
        { "X-Stainless-Retry-Count", "2", true, 2, -1, -1 },
        { "x-stainless-retry-count", "many", true, -1, -1, -1 },
        { "x-ratelimit-remaining-requests", " 59 ", false, -1, 59, -1 },
        { "X-RateLimit-Remaining-Tokens", "149984", false, -1, -1, 149984 },
        { "x-ratelimit-remaining-tokens", "-5", false, -1, -1, -1 },
        { "x-ratelimit-limit-tokens", "7", false, -1, -1, -1 },
        { "anthropic-ratelimit-requests-remaining", "0", false, -1, 0, -1 },
        { "anthropic-ratelimit-tokens-remaining", "39000", false, -1, -1, 39000 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(notes); i++) {
        const struct extract_header h = { slice_str(notes[i].name),
                                          slice_str(notes[i].value) };
        struct http_notes n;
        http_notes_init(&n);
        if (notes[i].request)
            http_notes_request(&n, &h, 1);
        else
            http_notes_response(&n, &h, 1);
        CHECK(n.retry == notes[i].retry && n.left_requests == notes[i].requests &&
                  n.left_tokens == notes[i].tokens,
              "%s", notes[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_long_label),
                                        cmocka_unit_test(test_notes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
