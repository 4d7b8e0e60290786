/* agent/capture_filter: expressions by table, compiled by the real libpcap. */
#include "testing.h"

#include "agent/capture_filter.h"
#include "agent/pcap_library.h"

#define REST                                                                             \
    " or (ip proto 6 and ip[6:2] & 0x1fff != 0) or ip6[6] = 0 or ip6[6] = 43 or "        \
    "ip6[6] = 44 or ip6[6] = 60)"

static const struct {
    const char *ports[3], *hosts[3], *expression;
    bool vlan;
    const char *text, *why; /* why: part of the refusal */
} rows[] = {
    { .text = "((tcp)" REST },
    { .ports = { "443" }, .text = "((tcp and (port 443))" REST },
    { .ports = { "80", "8000-8010" },
      .text = "((tcp and (port 80 or portrange 8000-8010))" REST },
    { .hosts = { "192.0.2.1", "2001:db8::/32" },
      .text = "((tcp)" REST " and (host 192.0.2.1 or net 2001:db8::/32)" },
    { .ports = { "443" },
      .expression = "not host 192.0.2.9",
      .text = "((tcp and (port 443))" REST " and (not host 192.0.2.9)" },
    { .vlan = true, .text = "(((tcp)" REST ") or (vlan and (((tcp)" REST "))" },
    { .vlan = true, .expression = "less 99", .text = "((tcp)" REST " and (less 99)" },
    { .ports = { "0" }, .why = "ports: '0'" },
    { .ports = { "65536" }, .why = "65536" },
    { .ports = { "9-8" }, .why = "9-8" },
    { .ports = { "https" }, .why = "https" },
    { .ports = { "1-2-3" }, .why = "1-2-3" },
    { .hosts = { "api.openai.com" }, .why = "names are not followed" },
    { .hosts = { "10.0.0.1/8" }, .why = "10.0.0.1/8" }, /* bits behind the mask */
    { .hosts = { "10.0.0.0/33" }, .why = "/33" },
    { .hosts = { "" }, .why = "''" },
    { .hosts = { "1.2.3.4 or tcp" }, .why = "or tcp" },
};

static size_t count(const char *const *at)
{
    size_t n = 0;
    while (n < 3 && at[n])
        n++;
    return n;
}

static void test_table(void **state)
{
    struct pcap_library l = { 0 };
    (void)state;
    assert_true(pcap_library_load(&l));
    pcap_t *dead = l.open_dead(DLT_EN10MB, 65535);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = { 0 }, why = { 0 };
        struct bpf_program program;
        const struct capture_filter f = {
            .ports = { (const char **)(uintptr_t)rows[i].ports, count(rows[i].ports) },
            .hosts = { (const char **)(uintptr_t)rows[i].hosts, count(rows[i].hosts) },
            .expression = rows[i].expression,
            .vlan = rows[i].vlan,
        };
        enum status st = capture_filter_build(&f, &out, &why);
        if (rows[i].why) {
            CHECK(st == ST_CONFIG && strstr(buf_cstr(&why), rows[i].why), "row %zu: %s",
                  i, buf_cstr(&why));
        } else {
            CHECK(st == ST_OK, "row %zu: %s", i, buf_cstr(&why));
            assert_string_equal(buf_cstr(&out), rows[i].text);
            CHECK(l.compile(dead, &program, buf_cstr(&out), 1, PCAP_NETMASK_UNKNOWN) == 0,
                  "row %zu: %s", i, l.geterr(dead));
            l.freecode(&program);
        }
        buf_release(&out);
        buf_release(&why);
    }
    l.close(dead);
    pcap_library_unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
