/* agent/process: our own connection is ours, by user and name. */
#include "testing.h"

#include "agent/process.h"

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static struct endpoint end_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    struct endpoint e = { .ip = { [10] = 0xff, [11] = 0xff } };
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    memcpy(e.ip + 12, &a.sin_addr, 4);
    e.port = ntohs(a.sin_port);
    return e;
}

static void test_ours(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    char name[17] = "";
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0),
        client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    int server = accept(listener, NULL, NULL);
    struct processes *p = processes_new();
    struct flow_info flow = { .client = end_of(client),
                              .server = end_of(server),
                              .ts_ns = 1 };
    prctl(PR_GET_NAME, name, 0, 0, 0);
    for (int i = 0; i < 2; i++) { /* asked, then remembered */
        struct attribute_process a = processes_of(p, &flow, 1000);
        assert_true(a.known);
        assert_int_equal(a.owner, geteuid());
        assert_true(slice_eq(a.name, slice_str(name)));
    }
    flow.client.port ^= 1; /* nobody's */
    assert_false(processes_of(p, &flow, 1000).known);
    for (int i = 0; i < 1000; i++) { /* looks are bounded, answers are not */
        flow.ts_ns = i;
        assert_false(processes_of(p, &flow, 1000).known);
    }
    flow.client.port ^= 1;
    assert_false(processes_of(p, &flow, 1000).known); /* this second is used up */
    assert_true(processes_of(p, &flow, 3000).known);
    processes_free(p);
    close(server);
    close(client);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ours) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
