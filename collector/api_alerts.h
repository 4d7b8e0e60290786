/* Alerts over the API. Rows of api.c's table; the lists are flat, for tables elsewhere.
 */
#ifndef BREAKEVEN_API_ALERTS_H
#define BREAKEVEN_API_ALERTS_H

#include "collector/api.h"
#include "collector/silence.h"

/* GET /api/v1/alerts: pending, firing and those over for up to a week, the firing first;
 * ?phase= and ?rule= keep some. */
void api_alerts(const struct collector *c, const struct api_request *q,
                struct api_reply *r);

/* GET /api/v1/alerts/rules: what is watched, and how many alerts of each there are. */
void api_alert_rules(const struct collector *c, const struct api_request *q,
                     struct api_reply *r);

/* GET /api/v1/alerts/channels: where messages go, how many were taken, failed and given
 * up since the start, and what waits for another try. Addresses and secrets stay here. */
void api_alert_channels(const struct collector *c, const struct api_request *q,
                        struct api_reply *r);

/* GET /api/v1/alerts/silences: silences that last, and acknowledgements. */
void api_silences(const struct collector *c, const struct api_request *q,
                  struct api_reply *r);

/*
 * POST /api/v1/alerts/silence {"match":…,"for":"2h","comment":…}, …/ack {"match":…,
 * "comment":…}, …/unsilence {"id":…}. The answer is {"id":…}.
 */
void api_silence(const struct collector *c, const struct api_request *q,
                 struct api_reply *r);

/* One alert of a rule visited by alerts_each. */
struct alert_row {
    const char *rule, *severity;
    const struct alert_entry *entry;
    const struct silence *held; /* by what; or NULL */
};
typedef void alert_row_fn(void *arg, const struct alert_row *row);

/* Every alert in the store, rule by rule; for `alert list` too. The store's errors. */
enum status alerts_each(struct store *store, const struct alert_config *config,
                        const struct silences *silences, int64_t now_ms, struct arena *a,
                        alert_row_fn *fn, void *arg);

/* "web-1", "openai/gpt-x", "support/80%": what the labels of an alert say. */
void alert_subject(const struct alert_entry *e, struct buf *out);

/* "90s", "30m", "2h", "7d" in milliseconds; 1 s to 400 days. */
bool alert_duration(struct slice text, int64_t *ms);

#endif
