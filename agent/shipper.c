/* Shipping wired together: see shipper.h. A shell file. */
#include "agent/shipper.h"

#include <stdlib.h>
#include <sys/random.h>

struct shipper {
    struct ship ship;
    struct ship_http *http;
    struct spool *spool;
    shipper_health_fn *health;
    void *health_arg;
    const struct log *log;
    char *agent;
    struct spool_batch batch; /* on its way */
    bool losing; /* the last batch had rows that the collector did not keep */
    struct spool_batch suspect; /* the row that was refused alone */
    bool dry;                   /* the last look into the spool found no row */
};

enum status shipper_new(const struct shipper_config *c, struct spool *spool,
                        shipper_health_fn *health, void *arg, int64_t now_ms,
                        const struct log *log, struct shipper **out)
{
    struct shipper *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return ST_NOMEM;
    p->spool = spool;
    p->health = health;
    p->health_arg = arg;
    p->log = log;
    p->agent = strdup(c->agent);
    ship_init(&p->ship, &c->limits, now_ms);
    enum status st = p->agent ? ship_http_new(&c->http, log, &p->http) : ST_NOMEM;
    if (st != ST_OK) {
        shipper_free(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void shipper_free(struct shipper *p)
{
    if (!p)
        return;
    ship_http_free(p->http);
    free(p->agent);
    free(p);
}

int shipper_fd(const struct shipper *p)
{
    return ship_http_fd(p->http);
}

int64_t shipper_wake_ms(const struct shipper *p)
{
    if (ship_http_busy(p->http))
        return ship_http_deadline_ms(p->http);
    return ship_next(&p->ship, INT64_MIN, !p->dry).wait_until_ms;
}

enum ship_health shipper_health(const struct shipper *p)
{
    return p->ship.health;
}

bool shipper_idle(const struct shipper *p)
{
    struct spool_stats stats;
    return !ship_http_busy(p->http) && p->ship.phase == SHIP_NORMAL &&
           spool_stats(p->spool, &stats) == ST_OK && stats.waiting == 0;
}

void shipper_hurry(struct shipper *p)
{
    p->ship.eager = true;
    p->dry = false;
}

static uint64_t random_u64(void)
{
    uint64_t r = 0;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
        r = (uint64_t)(uintptr_t)&r * 0x9e3779b97f4a7c15; /* jitter only */
    return r;
}

/* Failures of the spool are logged by it; the rows come again. */
static void settle(struct shipper *p, const struct ship_verdict *v)
{
    if (v->fate == SHIP_RETRY && p->ship.phase == SHIP_PROBE && p->batch.rows == 1)
        p->suspect = p->batch;
    if (v->fate != SHIP_RETRY)
        spool_ack(p->spool, &p->batch);
    if (v->lost && !p->losing)
        log_warn(p->log, "rows of usage that the collector does not keep: %llu (%s)",
                 (unsigned long long)v->lost, v->loss);
    if (v->fate == SHIP_ACK)
        p->losing = v->lost > 0;
    if (v->fate == SHIP_REFUSE) {
        log_error(p->log, "row ver %llu set aside: %s",
                  (unsigned long long)p->suspect.first_ver, v->reason);
        spool_refuse(p->spool, &p->suspect);
    } else if (v->changed && p->ship.health == SHIP_OK) {
        log_info(p->log, "the collector takes our batches");
    } else if (v->changed) {
        log_warn(p->log, "shipping: %s", v->reason);
    }
}

static void hear(struct shipper *p, int64_t now_ms, const struct ship_answer *a)
{
    struct ship_sent sent = { .rows = p->batch.rows, .more = p->batch.more };
    struct ship_verdict v = ship_answered(&p->ship, now_ms, random_u64(), &sent, a);
    settle(p, &v);
}

/* Start what is due. */
static void send_next(struct shipper *p, int64_t now_ms, int64_t unix_ms)
{
    struct buf rows = { 0 }, header = { 0 }, health = { 0 };
    struct ship_step step = ship_next(&p->ship, now_ms, true);
    p->dry = false;
    if (step.what == SHIP_SEND_ROWS &&
        spool_next_batch(p->spool, step.max_rows, step.max_bytes, &rows, &p->batch)) {
        p->dry = true;
        buf_reset(&rows);
        step = ship_next(&p->ship, now_ms, false);
    }
    if (step.what == SHIP_SEND_HEARTBEAT)
        spool_next_batch(p->spool, 0, 0, &rows, &p->batch);
    if (step.what == SHIP_WAIT)
        goto out;
    if (p->health)
        p->health(p->health_arg, &health);
    ship_header_line(&(struct ship_header){ .agent = slice_str(p->agent),
                                            .epoch = p->batch.epoch,
                                            .seq = p->batch.seq,
                                            .now_ms = unix_ms,
                                            .rows = p->batch.rows,
                                            .health = buf_slice(&health) },
                     &header);
    enum status st = header.st;
    if (st == ST_OK)
        st = ship_http_start(p->http, now_ms, buf_slice(&header), buf_slice(&rows));
    if (st != ST_OK)
        hear(p, now_ms,
             &(struct ship_answer){ .retry_after_ms = -1,
                                    .error = slice_str(status_name(st)) });
out:
    buf_release(&rows); /* a batch is large, and idle agents are small */
    buf_release(&header);
    buf_release(&health);
}

void shipper_step(struct shipper *p, int64_t now_ms, int64_t unix_ms)
{
    struct ship_answer a;
    if (ship_http_busy(p->http)) {
        if (ship_http_step(p->http, now_ms, &a) == ST_MORE)
            return;
        hear(p, now_ms, &a);
    }
    send_next(p, now_ms, unix_ms);
}
