/*
 * Every alert of one rule, told apart by labels (workload, agent, model …), with what
 * each channel knows: one JSON document, kept in the store as one record, so that a
 * change of a hundred agents is one transaction. Pure. Between the rules (which fill in
 * conditions, sentences and numbers), the state machine and the messages.
 *
 * Refuses: more than ALERT_SET_MAX alerts of a rule; further ones are counted in
 * `dropped` and not told apart.
 */
#ifndef BREAKEVEN_ALERT_SET_H
#define BREAKEVEN_ALERT_SET_H

#include "collector/alert.h"
#include "common/arena.h"
#include "common/json.h"

enum {
    ALERT_LABELS_MAX = 3,
    ALERT_VALUES_MAX = 8,
    ALERT_SET_MAX = 5000,
    ALERT_LABEL_BYTES = 256, /* of a label's value; longer ones are cut and hashed */
    ALERT_TEXT_BYTES = 480   /* of a summary */
};

struct alert_label {
    const char *name; /* "workload"; constant or of the arena */
    struct slice value;
};

struct alert_value {
    const char *name; /* "api_usd_next_month" */
    double value;
};

enum alert_condition {
    ALERT_GONE, /* no rule spoke of it: as false */
    ALERT_FALSE,
    ALERT_TRUE,
    ALERT_UNKNOWN /* neither fires nor resolves */
};

struct alert_entry {
    struct alert_label label[ALERT_LABELS_MAX];
    size_t labels;
    struct alert a;
    struct slice summary; /* one sentence with the numbers that matter */
    struct alert_value value[ALERT_VALUES_MAX];
    size_t values;
    enum alert_condition condition; /* of this look */
};

/* The channels of the configuration by name, in its order: bit c of `told` is name[c]. */
struct alert_names {
    const char *name[ALERT_CHANNELS_MAX];
    size_t n;
};

struct alert_set {
    struct arena *arena;
    struct alert_entry **at;
    size_t n, cap, dropped;
    struct alert_retry retry[ALERT_CHANNELS_MAX];
    enum status st; /* ST_OK or ST_NOMEM; sticky */
};

void alert_set_init(struct alert_set *s, struct arena *a);

/* The alert with these labels, found or added; NULL when full. Values are cleaned: valid
 * UTF-8 without control bytes, at most ALERT_LABEL_BYTES. */
struct alert_entry *alert_set_get(struct alert_set *s, const struct alert_label *label,
                                  size_t labels);

/* For rules: the sentence and a number of this look. */
void alert_entry_say(struct alert_set *s, struct alert_entry *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void alert_entry_value(struct alert_entry *e, const char *name, double v);
/* The value of a label or a number; empty and `fallback` when there is none. */
struct slice alert_entry_label(const struct alert_entry *e, const char *name);
double alert_entry_number(const struct alert_entry *e, const char *name, double fallback);

/* Drop what is inactive, known to all channels, and over since before `before_ms`. */
void alert_set_prune(struct alert_set *s, int64_t before_ms);

/* To and from JSON. Channels that are configured no more are forgotten. ST_BAD for a
 * malformed document, and *s is then empty. */
void alert_set_encode(const struct alert_set *s, const struct alert_names *c,
                      struct buf *out);
enum status alert_set_decode(struct alert_set *s, const struct alert_names *c,
                             struct slice json);

#endif
