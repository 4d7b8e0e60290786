/*
 * Alerts of a running collector: reads what is known, lets each rule judge it, advances
 * each alert's state, delivers what is due. The alerts of a rule are one record of kind
 * "alerts" (key: the rule): saved before a message is sent and again after each channel
 * took it, so a restart neither repeats nor forgets one. Run by background.c. A shell
 * file.
 *
 * All that changes at one look in one way is one message for each rule and channel,
 * however many agents or models it is about.
 */
#ifndef BREAKEVEN_ALERT_JOB_H
#define BREAKEVEN_ALERT_JOB_H

#include "collector/alert_facts.h"
#include "collector/silence.h"

/* Sends one message; notify_send in production, a recorder in tests. */
typedef enum status alert_send_fn(void *arg, const struct notify_channel *c,
                                  const struct notify_message *m, struct buf *why,
                                  int64_t *wait_ms);

struct metrics;

/* What a job remembers from look to look; a restart may forget it. */
struct alert_memory {
    int64_t resent_ms[ALERT_CHANNELS_MAX]; /* Alertmanager: all that fires was said */
};

struct alert_job {
    struct alert_source source;
    const struct silences *silences; /* or NULL */
    const char *external_url;        /* or NULL */
    const struct log *log;
    struct metrics *metrics; /* or NULL */
    struct alert_memory *memory;
    alert_send_fn *send;
    void *send_arg;
};

/*
 * One look at every rule at now_ms; random01 spreads retries. Store errors end it; a
 * message that cannot be delivered is logged and tried again by a later run.
 */
enum status alert_job_run(const struct alert_job *job, int64_t now_ms, double random01);

/* The record of a rule in the store; empty when there is none or it is unreadable. */
enum status alert_job_load(struct store *store, const char *rule,
                           const struct alert_names *names, const struct log *log,
                           struct alert_set *s, int64_t *at_s);

/* The channels' names in order of the configuration. */
struct alert_names alert_job_names(const struct alert_config *c);

#endif
