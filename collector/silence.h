/*
 * Silences and acknowledgements of alerts: the file `silences` in data_dir, changed by
 * `breakeven-collector alert …` and by the API, read by the alert job at each look.
 *
 * A silence holds messages back for a time; what is due then comes after it, if it is
 * still so. An acknowledgement says that somebody knows: it holds messages about the
 * firing back until it is over, and is forgotten when the alert fires anew.
 *
 * A matcher is `name=value` pairs with commas between: rule (also alertname), severity
 * and the alert's labels; `*` in a value stands for any run of bytes. One word alone is a
 * rule.
 */
#ifndef BREAKEVEN_SILENCE_H
#define BREAKEVEN_SILENCE_H

#include "collector/alert_set.h"
#include "common/buf.h"

enum { SILENCES_MAX = 1000, SILENCE_TEXT_MAX = 400, SILENCE_ID = 8 };

struct silence {
    struct slice id, match, comment; /* memory of the set's arena */
    bool ack;
    int64_t at_ms, until_ms; /* until: of silences */
};

struct silences {
    struct arena arena;
    struct silence *at; /* oldest first */
    size_t n;
};

/* --- pure -----------------------------------------------------------------------------
 */

/* Is this a matcher? False: `why` says what is wrong with it. */
bool silence_match_valid(struct slice match, struct buf *why);
bool silence_match(struct slice match, const char *rule, const char *severity,
                   const struct alert_entry *e);

/* What holds messages about e back at now_ms, or NULL: a silence first. */
const struct silence *silence_find(const struct silences *s, const char *rule,
                                   const char *severity, const struct alert_entry *e,
                                   int64_t now_ms);

/* Has this firing of e been acknowledged? */
bool silence_acked(const struct silences *s, const char *rule, const char *severity,
                   const struct alert_entry *e, int64_t now_ms);

enum status silences_parse(struct slice text,
                           struct silences *out); /* ST_BAD, ST_NOMEM */
void silences_format(const struct silences *s, struct buf *out);
void silences_release(struct silences *s);

/* --- the file -------------------------------------------------------------------------
 */

/* No file is an empty set. Release *out in any case. */
enum status silences_load(const char *dir, struct silences *out, struct buf *why);

/* Add one (id and at_ms are set by it, and what is over is dropped); its id is appended
 * to *id. ST_BAD: the matcher or the comment; ST_LIMIT: too many. */
enum status silences_add(const char *dir, const struct silence *add, int64_t now_ms,
                         struct buf *id, struct buf *why);

/* End one by id, a silence or an acknowledgement. ST_NOT_FOUND. */
enum status silences_remove(const char *dir, struct slice id, struct buf *why);

#endif
