/* Files into structs, every kind of value, and the words of every refusal. */
#include "common/yaml.h"

#include "testing.h"

enum mode { MODE_TAIL, MODE_CAPTURE };

struct tls {
    const char *cert;
    int line;
    bool verify;
};

struct rule {
    const char *name;
    int line;
    int64_t hits;
    struct yaml_strings labels;
};

struct settings {
    const char *app;
    bool on;
    int64_t port;
    double share;
    uint64_t price, size;
    int64_t every, day;
    int mode;
    struct yaml_strings paths, hosts;
    struct tls tls;
    struct yaml_list rules, models;
};

static const char *const modes[] = { "tail", "capture", NULL };

static const struct yaml_field tls_table[] = {
    { .key = "cert",
      .type = YAML_STRING,
      .offset = offsetof(struct tls, cert),
      .required = true,
      .help = "Certificate file." },
    { .key = "verify",
      .type = YAML_BOOL,
      .offset = offsetof(struct tls, verify),
      .fallback = "yes" },
    { .type = YAML_LINE, .offset = offsetof(struct tls, line) },
    { 0 },
};

static const struct yaml_field rule_table[] = {
    { .type = YAML_LINE, .offset = offsetof(struct rule, line) },
    { .key = "hits",
      .type = YAML_INT,
      .offset = offsetof(struct rule, hits),
      .fallback = "3",
      .min = 1,
      .max = 9 },
    { .key = "labels", .type = YAML_STRINGS, .offset = offsetof(struct rule, labels) },
    { 0 },
};

static const struct yaml_field model_table[] = {
    { .type = YAML_NAME, .offset = offsetof(struct rule, name) },
    { .type = YAML_LINE, .offset = offsetof(struct rule, line) },
    { .key = "hits", .type = YAML_INT, .offset = offsetof(struct rule, hits) },
    { 0 },
};

#define AT(field) offsetof(struct settings, field)

static const struct yaml_field table[] = {
    { .key = "app", .type = YAML_STRING, .offset = AT(app), .fallback = "web" },
    { .key = "on", .type = YAML_BOOL, .offset = AT(on) },
    { .key = "port",
      .type = YAML_INT,
      .offset = AT(port),
      .fallback = "80",
      .min = 1,
      .max = 65535,
      .help = "Where to listen." },
    { .key = "share", .type = YAML_DECIMAL, .offset = AT(share), .min = 0, .max = 1 },
    { .key = "price", .type = YAML_MONEY, .offset = AT(price), .scale = 6 },
    { .key = "size",
      .type = YAML_SIZE,
      .offset = AT(size),
      .fallback = "16MiB",
      .min = 1024,
      .max = 1 << 30 },
    { .key = "every",
      .type = YAML_DURATION,
      .offset = AT(every),
      .fallback = "30s",
      .min = 1000,
      .max = 604800000 },
    { .key = "day", .type = YAML_DATE, .offset = AT(day) },
    { .key = "mode", .type = YAML_ENUM, .offset = AT(mode), .names = modes },
    { .key = "paths",
      .type = YAML_STRINGS,
      .offset = AT(paths),
      .fallback = "[a, b]",
      .min = 1,
      .max = 3 },
    { .key = "hosts", .type = YAML_STRINGS, .offset = AT(hosts) },
    { .key = "tls", .type = YAML_STRUCT, .offset = AT(tls), .table = tls_table },
    { .key = "rules",
      .type = YAML_LIST,
      .offset = AT(rules),
      .table = rule_table,
      .size = sizeof(struct rule),
      .min = 0,
      .max = 3 },
    { .key = "models",
      .type = YAML_MAP,
      .offset = AT(models),
      .table = model_table,
      .size = sizeof(struct rule) },
    { 0 },
};

static enum status parse(const char *text, struct settings *out, struct arena *a,
                         struct buf *why)
{
    struct guarded g = guard_copy(slice_str(text));
    *out = (struct settings){ 0 };
    buf_reset(why);
    enum status st = yaml_parse(g.s, "x.yaml", table, out, a, why);
    guard_release(&g);
    return st;
}

struct fixture {
    struct settings s;
    struct arena a;
    struct buf why;
};

static struct fixture *fixture_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    arena_init(&f->a, 4 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

static void an_empty_file_is_all_defaults(void **state)
{
    static const char *const empty[] = {
        "", "# nothing\n", "---\n", "~\n", "{}", "---\n...\n", "tls:\nrules:\nmodels:\n"
    };
    struct fixture *f = fixture_of(state);
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        if (i == 6)
            continue; /* a tls mapping lacks its certificate: below */
        enum status st = parse(empty[i], &f->s, &f->a, &f->why);
        CHECK(st == ST_OK, "%zu: %s", i, buf_cstr(&f->why));
        assert_string_equal(f->s.app, "web");
        assert_false(f->s.on);
        assert_int_equal(f->s.port, 80);
        assert_int_equal(f->s.size, 16 << 20);
        assert_int_equal(f->s.every, 30000);
        assert_int_equal(f->s.paths.n, 2);
        assert_string_equal(f->s.paths.at[1], "b");
        assert_true(f->s.tls.verify);
        assert_int_equal(f->s.tls.line, 0);
        assert_int_equal(f->s.rules.n, 0);
    }
    assert_int_equal(parse(empty[6], &f->s, &f->a, &f->why), ST_CONFIG);
    assert_string_equal(
        buf_cstr(&f->why),
        "x.yaml:1: found no 'cert', allowed only with it: Certificate file.");
}

static void every_type_is_filled(void **state)
{
    struct fixture *f = fixture_of(state);
    enum status st = parse("app: \"sh\\u00f6p: 1\"\n"
                           "on: yes\n"
                           "port: 1_024\n"
                           "share: 2.5e-1\n"
                           "price: '2.50'\n"
                           "size: 64KiB\n"
                           "every: 2h\n"
                           "day: 2026-11-23\n"
                           "mode: capture\n"
                           "paths: /var/log/*.log\n"
                           "hosts: [a, \"b\", 1.5]\n"
                           "tls:\n"
                           "  cert: /c\n"
                           "  verify: off\n"
                           "rules:\n"
                           "  - hits: 4\n"
                           "    labels: [x]\n"
                           "  - {}\n"
                           "  -\n"
                           "models:\n"
                           "  gpt-x: { hits: -7 }\n"
                           "  \"4.1\":\n",
                           &f->s, &f->a, &f->why);
    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    assert_string_equal(f->s.app, "sh\xc3\xb6p: 1");
    assert_true(f->s.on);
    assert_int_equal(f->s.port, 1024);
    assert_true(f->s.share == 0.25);
    assert_int_equal(f->s.price, 2500000);
    assert_int_equal(f->s.size, 65536);
    assert_int_equal(f->s.every, 7200000);
    assert_int_equal(f->s.day, 1795392000);
    assert_int_equal(f->s.mode, MODE_CAPTURE);
    assert_int_equal(f->s.paths.n, 1);
    assert_string_equal(f->s.paths.at[0], "/var/log/*.log");
    assert_int_equal(f->s.hosts.n, 3);
    assert_string_equal(f->s.hosts.at[2], "1.5");
    assert_string_equal(f->s.tls.cert, "/c");
    assert_int_equal(f->s.tls.line, 13);
    assert_false(f->s.tls.verify);
    const struct rule *rule = f->s.rules.at, *model = f->s.models.at;
    assert_int_equal(f->s.rules.n, 3);
    assert_int_equal(rule[0].hits, 4);
    assert_int_equal(rule[0].line, 16);
    assert_string_equal(rule[0].labels.at[0], "x");
    assert_int_equal(rule[1].hits, 3);
    assert_int_equal(rule[2].hits, 3);
    assert_int_equal(f->s.models.n, 2);
    assert_string_equal(model[0].name, "gpt-x");
    assert_int_equal(model[0].hits, -7);
    assert_int_equal(model[0].line, 21);
    assert_string_equal(model[1].name, "4.1");
}

static void refusals_say_where_and_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "prot: 1", "x.yaml:1: found 'prot' as a key, allowed port" },
        { "\n\nPaths: 1", "x.yaml:3: found 'Paths' as a key, allowed paths" },
        { "zzzzzz: 1",
          "x.yaml:1: found 'zzzzzz' as a key, allowed app, on, port, share, "
          "price, size, every, day, mode, paths, hosts, tls, rules, models" },
        { "tls:\n  cart: x", "x.yaml:2: found 'cart' as a key, allowed cert" },
        { "rules:\n  - hots: 1", "x.yaml:2: found 'hots' as a key, allowed hits" },
        { "port: 0",
          "x.yaml:1: found '0' as port, allowed a whole number from 1 to 65535" },
        { "port: 65536", "x.yaml:1: found '65536' as port" },
        { "port: 8o", "x.yaml:1: found '8o' as port" },
        { "port: 1_", "x.yaml:1: found '1_' as port" },
        { "port: 1__0", "x.yaml:1: found '1__0' as port" },
        { "port: 99999999999999999999999", "as port" },
        { "port: 1.0", "x.yaml:1: found '1.0' as port" },
        { "port:", "x.yaml:1: found nothing as port" },
        { "port:\n\t1", "x.yaml:2: found character that cannot start any token" },
        { "port: [1]", "x.yaml:1: found a list as port" },
        { "port: {a: 1}", "x.yaml:1: found a mapping as port" },
        { "share: 1.01", "allowed a number from 0 to 1" },
        { "share: .5", "found '.5' as share" },
        { "share: nan", "found 'nan' as share" },
        { "share: 1e999", "found '1e999' as share" },
        { "price: 2.5000001", "allowed an amount like 2.50 with at most 6 decimals" },
        { "price: -1", "found '-1' as price" },
        { "price: 1e-3", "found '1e-3' as price" },
        { "price: $1", "found '$1' as price" },
        { "price: 99999999999999999999", "as price" },
        { "size: 1023", "allowed a size like 64KiB or 1GB from 1KiB to 1GiB" },
        { "size: 1.5MiB", "found '1.5MiB' as size" },
        { "size: 64K", "found '64K' as size" },
        { "size: 99999999TiB", "as size" },
        { "every: 30", "allowed a duration like 500ms, 30s, 5m, 2h or 7d from 1s to 7d" },
        { "every: 8d", "found '8d' as every" },
        { "every: 0", "found '0' as every" },
        { "day: 2026-02-29", "allowed a day like 2026-11-23" },
        { "day: 2026-13-01", "found '2026-13-01' as day" },
        { "day: 2026/11/23", "found '2026/11/23' as day" },
        { "day: 1969-12-31", "found '1969-12-31' as day" },
        { "day: 26-11-23", "found '26-11-23' as day" },
        { "mode: sniff",
          "x.yaml:1: found 'sniff' as mode, allowed one of tail, capture" },
        { "on: maybe", "allowed true, false, yes, no, on or off" },
        { "app: null", "found nothing as app, allowed a text" },
        { "app: \"a\\0b\"", "as app" },
        { "paths: []", "found 0 entries as paths, allowed a list of texts, or one text, "
                       "entries from 1 to 3" },
        { "paths: [a, b, c, d]", "found 4 entries as paths" },
        { "paths: [a, [b]]", "found a list as paths" },
        { "paths: {a: b}", "found a mapping as paths" },
        { "rules: [{}, {}, {}, {}]", "found 4 entries as rules" },
        { "rules: 5", "found '5' as rules, allowed a list of mappings" },
        { "rules: [5]", "found '5' as rules, allowed a mapping" },
        { "rules: {a: {}}", "found a mapping as rules" },
        { "models: [a]", "found a list as models" },
        { "models: {a: 1}", "found '1' as models, allowed a mapping" },
        { "models:\n  a: {}\n  b: {}\n  a: {}",
          "x.yaml:4: found 'a' again, allowed once" },
        { "tls: 1", "found '1' as tls, allowed a mapping" },
        { "app: a\napp: b", "x.yaml:2: found 'app' again, allowed once" },
        { "[a]", "x.yaml:1: found a list as the file, allowed a mapping" },
        { "word", "found 'word' as the file" },
        { "[a]: b", "found a list as a key" },
        { "app: &x a", "found an anchor" },
        { "tls: &x {}", "found an anchor" },
        { "app: *x", "found an alias" },
        { "app: !!str a", "found a tag" },
        { "app: ! a", "found a tag" },
        { "%YAML 1.1\n---\napp: a", "found a directive" },
        { "%TAG ! tag:x,2000:\n---\napp: a", "found a directive" },
        { "app: a\n---\napp: b", "found a second document" },
        { "app: [", "x.yaml:" },
        { "app: a\n\tb: c", "x.yaml:2: found " },
        { "app: \"a", "x.yaml:" },
        { "app: \x01", "x.yaml:1: found control characters" },
        { "app: \xff", "x.yaml:1: found invalid" },
    };
    struct fixture *f = fixture_of(state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum status st = parse(cases[i].text, &f->s, &f->a, &f->why);
        CHECK(st == ST_CONFIG && strstr(buf_cstr(&f->why), cases[i].why),
              "%s\n gave: %s\n not: %s", cases[i].text, buf_cstr(&f->why), cases[i].why);
        arena_reset(&f->a);
    }
}

static void money_and_days_are_exact(void **state)
{
    static const struct {
        const char *text;
        uint64_t pico;
    } money[] = {
        { "price: 0", 0 },
        { "price: 0.000001", 1 },
        { "price: 0.1", 100000 },
        { "price: 2.5000000", 2500000 },
        { "price: 18446744073709.551615", UINT64_MAX },
    };
    static const struct {
        const char *text;
        int64_t at;
    } days[] = {
        { "day: 1970-01-01", 0 },
        { "day: 2000-02-29", 951782400 },
        { "day: 2024-12-31", 1735603200 },
        { "day: 2100-03-01", 4107542400 },
    };
    struct fixture *f = fixture_of(state);
    for (size_t i = 0; i < COUNT_OF(money); i++) {
        CHECK(parse(money[i].text, &f->s, &f->a, &f->why) == ST_OK, "%s", money[i].text);
        CHECK(f->s.price == money[i].pico, "%s", money[i].text);
    }
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        CHECK(parse(days[i].text, &f->s, &f->a, &f->why) == ST_OK, "%s", days[i].text);
        CHECK(f->s.day == days[i].at, "%s", days[i].text);
    }
}

static void limits_hold(void **state)
{
    struct fixture *f = fixture_of(state);
    struct buf text = { 0 };
    for (int i = 0; i < 100000; i++)
        buf_addc(&text, '[');
    assert_int_equal(parse(buf_cstr(&text), &f->s, &f->a, &f->why), ST_CONFIG);
    buf_reset(&text);
    while (text.n <= 1 << 20)
        buf_adds(&text, "# comment\n");
    assert_int_equal(parse(buf_cstr(&text), &f->s, &f->a, &f->why), ST_CONFIG);
    assert_non_null(strstr(buf_cstr(&f->why), "allowed 1048576"));
    buf_reset(&text);
    buf_adds(&text, "models:\n");
    for (int i = 0; i <= 10000; i++)
        buf_addf(&text, " m%d:\n", i);
    assert_int_equal(parse(buf_cstr(&text), &f->s, &f->a, &f->why), ST_CONFIG);
    assert_non_null(strstr(buf_cstr(&f->why), "x.yaml:10002: found more entries"));
    buf_release(&text);
}

static void a_full_arena_is_no_memory(void **state)
{
    struct fixture *f = fixture_of(state);
    const char *text = "app: a\nhosts: [a, b]\nrules: [{labels: [x]}]\nmodels: {a: {}}\n";
    enum status st = ST_NOMEM;
    size_t ceiling = 0;
    for (; st == ST_NOMEM && ceiling < 4096; ceiling += 16) {
        struct arena small;
        arena_init(&small, ceiling);
        st = parse(text, &f->s, &small, &f->why);
        arena_release(&small);
    }
    assert_int_equal(st, ST_OK);
    assert_true(ceiling > 100);
}

static void files_are_loaded(void **state)
{
    struct fixture *f = fixture_of(state);
    char path[] = "/tmp/breakeven-yaml-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "port: 81\n", 9), 9);
    close(fd);
    assert_int_equal(yaml_load(path, table, &f->s, &f->a, &f->why), ST_OK);
    assert_int_equal(f->s.port, 81);
    unlink(path);
    assert_int_equal(yaml_load(path, table, &f->s, &f->a, &f->why), ST_NOT_FOUND);
    assert_non_null(strstr(buf_cstr(&f->why), "No such file"));
    assert_int_equal(yaml_load("/tmp", table, &f->s, &f->a, &f->why), ST_IO);
}

/* The reference, uncommented, is a file that gives the defaults. */
static void the_reference_parses(void **state)
{
    struct fixture *f = fixture_of(state);
    struct buf reference = { 0 }, plain = { 0 };
    yaml_reference(table, &reference);
    assert_non_null(strstr(buf_cstr(&reference),
                           "# # Where to listen. A whole number from 1 to 65535; default "
                           "80.\n# port: 80\n"));
    for (struct slice rest = buf_slice(&reference), line; rest.n;) {
        slice_cut(rest, '\n', &line, &rest);
        assert_true(slice_starts(line, SLICE("# ")));
        buf_add(&plain, slice_from(line, 2));
        buf_addc(&plain, '\n');
    }
    enum status st = parse(buf_cstr(&plain), &f->s, &f->a, &f->why);
    CHECK(st == ST_OK, "%s\n%s", buf_cstr(&f->why), buf_cstr(&plain));
    assert_int_equal(f->s.every, 30000);
    assert_int_equal(f->s.rules.n, 1);
    assert_int_equal(f->s.models.n, 1);
    buf_release(&reference);
    buf_release(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_file_is_all_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(every_type_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_say_where_and_why, setup, teardown),
        cmocka_unit_test_setup_teardown(money_and_days_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reference_parses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
