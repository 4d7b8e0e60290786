/*
 * Shipping wired together: takes rows out of the spool, asks ship what to do, sends with
 * ship_http, acknowledges. What main calls; one object for the agent's life.
 *
 *     poll on shipper_fd (when >= 0) until shipper_wake_ms at the latest,
 *     then shipper_step; also after a commit that added rows.
 */
#ifndef BREAKEVEN_SHIPPER_H
#define BREAKEVEN_SHIPPER_H

#include "agent/ship_http.h"
#include "agent/spool.h"

struct shipper;

struct shipper_config {
    const char *agent; /* id of this agent; copied */
    struct ship_limits limits;
    struct ship_http_config http;
};

/* Appends the `health` object of the batch header (docs/architecture.md, Wire). */
typedef void shipper_health_fn(void *arg, struct buf *json);

/* `spool`, `log` and `arg` are borrowed. Errors as ship_http_new. now_ms: monotone. */
enum status shipper_new(const struct shipper_config *c, struct spool *spool,
                        shipper_health_fn *health, void *arg, int64_t now_ms,
                        const struct log *log, struct shipper **out);
void shipper_free(struct shipper *p); /* an unanswered batch stays in the spool */

int shipper_fd(const struct shipper *p);          /* -1: nothing to poll */
int64_t shipper_wake_ms(const struct shipper *p); /* step at the latest then */

/* Never inside a spool transaction. now_ms: monotone; unix_ms: wall clock. */
void shipper_step(struct shipper *p, int64_t now_ms, int64_t unix_ms);

/* Send what waits without the usual interval, unless backing off: before a stop. */
void shipper_hurry(struct shipper *p);

/* Nothing waits in the spool and no request runs: for a clean stop after a drain. */
bool shipper_idle(const struct shipper *p);
enum ship_health shipper_health(const struct shipper *p);

#endif
