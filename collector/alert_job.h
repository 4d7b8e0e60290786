/*
 * Alerts of a running collector: reads stored projections, advances each alert's state,
 * delivers what is due. States are records of kind "alert" (key "rule/workload"): saved
 * before a message is sent and again after each channel took it, so a restart neither
 * repeats nor forgets one. Run by background.c. A shell file.
 */
#ifndef BREAKEVEN_ALERT_JOB_H
#define BREAKEVEN_ALERT_JOB_H

#include "collector/alert_rules.h"
#include "collector/store.h"

/* Sends one message; notify_send in production, a recorder in tests. */
typedef enum status alert_send_fn(void *arg, const struct notify_channel *c,
                                  const struct notify_message *m, struct buf *why);

struct alert_job {
    struct store *store;
    const struct alert_config *config;
    const char *external_url; /* or NULL */
    const struct log *log;
    alert_send_fn *send;
    void *send_arg;
};

/*
 * One look at every rule and workload at now_ms; random01 spreads retries. Store errors
 * end it; a message that cannot be delivered is logged and tried again by a later run.
 */
enum status alert_job_run(const struct alert_job *job, int64_t now_ms, double random01);

#endif
