/*
 * An agent reduced to its spool and its shipping, for tests/system/ship.py: adds ROWS
 * rows to the spool in FOLDER, ships them until none waits and a heartbeat passed, or
 * until SECONDS are over, and prints health, rows waiting and rows refused.
 *
 *   [CA_FILE=…] ship_driver FOLDER URL TOKEN COMPRESSION ROWS SECONDS [HELPER]
 */
#include "agent/shipper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t clock_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void health(void *arg, struct buf *json)
{
    (void)arg;
    buf_adds(json, "{\"files\":1}");
}

static enum status fill(struct spool *s, int rows)
{
    spool_begin(s, clock_ms(CLOCK_REALTIME) / 1000);
    for (int i = 0; i < rows; i++) {
        char model[32];
        struct rollup delta = { .calls = 1 + (uint64_t)i };
        struct rollup_key k = { .hour = 1795420800 };
        snprintf(model, sizeof model, "model-%d", i);
        k.name[ROLLUP_model] = slice_str(model);
        spool_add(s, &k, &delta);
    }
    return spool_commit(s);
}

/* Until all is shipped, or for so long after the first verdict on the collector: a busy
 * machine takes its time to come to one. */
static void ship(struct shipper *p, int64_t for_ms)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC), until = now + 90000;
    bool judged = false;

    for (; now < until; now = clock_ms(CLOCK_MONOTONIC)) {
        struct pollfd fd = { .fd = shipper_fd(p), .events = POLLIN };
        shipper_step(p, now, clock_ms(CLOCK_REALTIME));
        if (shipper_idle(p) && shipper_health(p) == SHIP_OK)
            return;
        if (!judged && shipper_health(p) != SHIP_UNTRIED) {
            judged = true;
            until = now + for_ms;
        }
        fd.fd = shipper_fd(p);
        int64_t wait = shipper_wake_ms(p) - now;
        if (wait > until - now)
            wait = until - now;
        poll(&fd, 1, wait > 0 ? (int)wait : 0);
    }
}

int main(int argc, char **argv)
{
    struct log log = log_open("ship_driver");
    struct spool *s = NULL;
    struct shipper *p = NULL;
    struct spool_limits limits = spool_limits_default();
    struct spool_stats stats = { 0 };
    struct shipper_config c = { .agent = "driver", .limits = ship_limits_default() };
    char path[512];
    if (argc < 7)
        return 2;
    c.http = (struct ship_http_config){ .url = argv[2],
                                        .token = argv[3],
                                        .compression = argv[4],
                                        .ca_file = getenv("CA_FILE"),
                                        .helper = argc > 7 ? argv[7] : NULL };
    c.limits.interval_ms = 100;
    c.limits.backoff_min_ms = 100;
    c.limits.backoff_max_ms = 1000;
    snprintf(path, sizeof path, "%s/spool.db", argv[1]);
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    enum status st = spool_open(path, &limits, clock_ms(CLOCK_REALTIME), false, &log, &s);
    if (st == ST_OK)
        st = fill(s, atoi(argv[5]));
    if (st == ST_OK)
        st = shipper_new(&c, s, health, NULL, now, &log, &p);
    if (st == ST_OK)
        ship(p, (int64_t)atoi(argv[6]) * 1000);
    if (s)
        spool_stats(s, &stats);
    printf("{\"status\":\"%s\",\"health\":\"%s\",\"waiting\":%llu,\"refused\":%llu}\n",
           status_name(st), p ? ship_health_name(shipper_health(p)) : "none",
           (unsigned long long)stats.waiting, (unsigned long long)stats.refused);
    shipper_free(p);
    spool_close(s);
    return st == ST_OK ? 0 : 1;
}
