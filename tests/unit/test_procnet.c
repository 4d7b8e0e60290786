/* agent/procnet: lines of /proc/net/tcp and tcp6, and our own socket in the real file. */
#include "testing.h"

#include "agent/procnet.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const struct {
    const char *line, *local, *remote; /* local NULL: refused */
    uint32_t owner;
    uint64_t inode;
} rows[] = {
    { "   1: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  1000 "
      " "
      "      0 12345 1 0000000000000000 20 4 30 10 -1",
      "127.0.0.1:8080", "127.0.0.2:50000", 1000, 12345 },
    { "  10: B80D0120000000000000000001000000:01BB "
      "0000000000000000FFFF00000100007F:C350 01 00000000:00000000 00:00000000 00000000   "
      " "
      " 0        0 7 1 0 20 4 30 10 -1",
      "[2001:db8::1]:443", "127.0.0.1:50000", 0, 7 },
    { .line = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
              "retrnsmt   uid  timeout inode" },
    { .line = "" },
    { .line = "1: 0100007F:1F90 0200007F:C350 01 0:0 0:0 0 1000 0" },
    { .line = "1: 0100007F:1F90 0200007F 01 0:0 0:0 0 1000 0 5" },
    { .line = "1: 0100007G:1F90 0200007F:1 01 0:0 0:0 0 1000 0 5" },
    { .line = "1: 0100007F:1FF90 0200007F:1 01 0:0 0:0 0 1000 0 5" },
    { .line = "1: 0100007F:1F90 0200007F:1 01 0:0 0:0 0 99999999999 0 5" },
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct procnet p;
        char text[ENDPOINT_TEXT];
        bool good = procnet_line(slice_str(rows[i].line), &p);
        CHECK(good == (rows[i].local != NULL), "row %zu", i);
        if (!good)
            continue;
        assert_string_equal(endpoint_text(&p.local, text), rows[i].local);
        assert_string_equal(endpoint_text(&p.remote, text), rows[i].remote);
        assert_int_equal(p.owner, rows[i].owner);
        assert_int_equal(p.inode, rows[i].inode);
    }
}

static void test_ours(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    struct stat st;
    char line[512];
    bool found = false;
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(fstat(fd, &st), 0);
    FILE *f = fopen("/proc/net/tcp", "r");
    while (f && fgets(line, sizeof line, f)) {
        struct procnet p;
        if (procnet_line(slice_str(line), &p) && p.inode == st.st_ino) {
            found = true;
            assert_int_equal(p.local.port, ntohs(a.sin_port));
            assert_int_equal(p.owner, geteuid());
        }
    }
    if (f)
        fclose(f);
    close(fd);
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines),
                                        cmocka_unit_test(test_ours) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
