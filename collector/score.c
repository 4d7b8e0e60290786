/* Scores: read, counted once, kept by day. See score.h. */
#include "collector/score.h"

#include "common/instant.h"
#include "common/json.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY_S = 86400, HEX = 16 };

static const char kind[] = "score";

/* --- reading --------------------------------------------------------------------------
 */

enum field { F_WORKLOAD, F_ARM, F_METRIC, F_VALUE, F_PASS, F_ID, F_TIME, F_N };

static const char *const field_names[F_N] = { "workload", "arm", "metric", "value",
                                              "pass",     "id",  "time" };

static bool plain_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return s.n > 0 && s.n <= SCORE_NAME_MAX;
}

static bool read_number(struct slice text, double *out)
{
    char copy[64];

    if (text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *out = strtod(copy, NULL);
    return fabs(*out) <= 1e12;
}

static bool read_time(enum json_type t, struct slice text, int64_t now_s, int64_t *out)
{
    int64_t ns;

    if ((t != JSON_STRING && t != JSON_NUMBER) ||
        (!instant_day(text, &ns) && !instant_parse(text, &ns)))
        return false;
    *out = ns / 1000000000;
    return *out <= now_s + STORE_FUTURE_S && *out > now_s - (int64_t)SCORE_DAYS * DAY_S;
}

static bool read_arm(struct slice text, enum compare_side *out)
{
    for (int s = 0; s < COMPARE_SIDES; s++)
        if (slice_eq(text, slice_str(compare_side_name((enum compare_side)s)))) {
            *out = (enum compare_side)s;
            return true;
        }
    return false;
}

/* One value into the score; NULL, or what is wrong with it. */
static const char *take(enum field f, enum json_type t, struct slice text, int64_t now_s,
                        struct arena *a, struct score *s)
{
    bool str = t == JSON_STRING, fits = text.n > 0 && text.n <= SCORE_TEXT_MAX;

    switch (f) {
    case F_WORKLOAD:
        s->workload = arena_dup(a, slice_head(text, SCORE_TEXT_MAX));
        return str && fits && s->workload.p ? NULL : "workload is not a name";
    case F_ARM:
        return str && read_arm(text, &s->arm) ? NULL : "arm is api or specialist";
    case F_METRIC:
        s->metric = arena_dup(a, slice_head(text, SCORE_NAME_MAX));
        return str && plain_name(text) && s->metric.p
                   ? NULL
                   : "metric is 1 to 32 of a-z, 0-9, _ and -";
    case F_VALUE:
        return t == JSON_NUMBER && read_number(text, &s->value)
                   ? NULL
                   : "value is not a number within 1e12";
    case F_PASS:
        s->rated = true;
        s->pass = t == JSON_TRUE;
        return t == JSON_TRUE || t == JSON_FALSE ? NULL : "pass is true or false";
    case F_ID:
        s->id = slice_hash(text, 0);
        s->id += s->id == 0;
        return str && fits ? NULL : "id is a string of 1 to 128 bytes";
    default:
        return read_time(t, text, now_s, &s->time)
                   ? NULL
                   : "time is not one, or is ahead, or is older than 400 days";
    }
}

static const char *read_one(struct json *j, int64_t now_s, struct arena *a,
                            struct score *s)
{
    unsigned seen = 0,
             need = 1U << F_WORKLOAD | 1U << F_ARM | 1U << F_METRIC | 1U << F_VALUE;
    struct slice text;
    enum json_type t;

    *s = (struct score){ .time = now_s };
    while ((t = json_next(j, &text)) == JSON_KEY) {
        int f = 0;
        while (f < F_N && !slice_eq(text, slice_str(field_names[f])))
            f++;
        if (f == F_N)
            return "unknown key";
        if (seen >> f & 1)
            return "a key stands twice";
        seen |= 1U << f;
        text = (struct slice){ 0 };
        t = json_next(j, &text);
        if (t == JSON_BAD || t == JSON_END || t == JSON_MORE)
            break;
        const char *why = take((enum field)f, t, text, now_s, a, s);
        if (why)
            return why;
    }
    if (t != JSON_OBJECT_END)
        return t == JSON_BAD ? json_why(j) : "the object does not end";
    return (seen & need) == need ? NULL : "workload, arm, metric and value are needed";
}

static size_t line_at(struct slice body, uint64_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < body.n && i + 1 < offset; i++)
        line += body.p[i] == '\n';
    return line;
}

enum status score_read(struct slice body, int64_t now_s, struct arena *a,
                       struct score_list *out)
{
    struct json j;
    struct slice text;
    enum json_type t;

    *out = (struct score_list){ .at = arena_alloc(a, SCORE_BATCH_MAX * sizeof *out->at) };
    if (!out->at)
        return ST_LIMIT;
    json_init(&j, JSON_MULTI);
    json_feed(&j, body);
    while ((t = json_next(&j, &text)) == JSON_OBJECT && !out->why) {
        if (out->n == SCORE_BATCH_MAX)
            return ST_LIMIT;
        out->why = read_one(&j, now_s, a, &out->at[out->n]);
        out->n += out->why == NULL;
        if (out->why)
            break;
    }
    if (!out->why && t == JSON_MORE) {
        json_finish(&j);
        t = json_next(&j, &text);
    }
    if (!out->why && t != JSON_END)
        out->why = t == JSON_BAD ? json_why(&j) : "a score is a JSON object";
    if (!out->why && out->n == 0)
        out->why = "no score";
    if (!out->why)
        return ST_OK;
    out->line = line_at(body, json_offset(&j));
    out->n = 0;
    return ST_BAD;
}

/* --- records --------------------------------------------------------------------------
 */

/* {"days":[[day,n,sum,sum2,rated,passes],…],"ids":"hex…"}; day counts from 1970. */
struct record {
    double day[SCORE_DAYS][6]; /* sorted by day */
    size_t days;
    uint64_t id[SCORE_IDS]; /* a ring; next is overwritten first */
    size_t ids, next;
};

static enum status record_days(struct json *j, struct record *r)
{
    struct slice text;
    enum json_type t = json_next(j, &text);

    if (t != JSON_ARRAY)
        return ST_BAD;
    while ((t = json_next(j, &text)) == JSON_ARRAY) {
        if (r->days == SCORE_DAYS)
            return ST_BAD;
        double *day = r->day[r->days++];
        for (int i = 0; i < 6; i++)
            if (json_next(j, &text) != JSON_NUMBER || text.n > 40 ||
                (day[i] = strtod(text.p, NULL), !isfinite(day[i])))
                return ST_BAD;
        if (json_next(j, &text) != JSON_ARRAY_END)
            return ST_BAD;
    }
    return t == JSON_ARRAY_END ? ST_OK : ST_BAD;
}

static enum status record_ids(struct json *j, struct record *r)
{
    struct slice text;

    if (!json_raw_string(j, &text) || text.n > (size_t)SCORE_IDS * HEX)
        return ST_BAD;
    for (; text.n >= HEX; text = slice_from(text, HEX)) {
        char one[HEX + 1] = { 0 };
        memcpy(one, text.p, HEX);
        r->id[r->ids++] = strtoull(one, NULL, 16);
    }
    return ST_OK;
}

/* `json` ends in a NUL, as the store and a buf hand it out. */
static enum status record_parse(struct slice json, struct record *r)
{
    struct json j;
    struct slice text;
    enum status st = ST_OK;
    enum json_type t;

    r->days = r->ids = r->next = 0;
    json_init(&j, JSON_ONE);
    json_feed(&j, json);
    if (json_next(&j, &text) != JSON_OBJECT)
        return ST_BAD;
    while (st == ST_OK && (t = json_next(&j, &text)) == JSON_KEY)
        st = slice_eq(text, SLICE("days"))  ? record_days(&j, r)
             : slice_eq(text, SLICE("ids")) ? record_ids(&j, r)
                                            : ST_BAD;
    return st == ST_OK && t != JSON_OBJECT_END ? ST_BAD : st;
}

static void record_format(const struct record *r, struct buf *out)
{
    struct json_out o = { .b = out };

    json_open(&o, '{');
    json_key(&o, "days");
    json_open(&o, '[');
    for (size_t i = 0; i < r->days; i++) {
        json_open(&o, '[');
        for (int k = 0; k < 6; k++)
            json_num(&o, r->day[i][k]);
        json_close(&o, ']');
    }
    json_close(&o, ']');
    json_key(&o, "ids");
    buf_addc(out, '"');
    for (size_t i = 0; i < r->ids; i++) /* oldest first */
        buf_addf(out, "%016" PRIx64,
                 r->id[(r->ids < SCORE_IDS ? i : r->next + i) % SCORE_IDS]);
    buf_addc(out, '"');
    buf_addc(out, '}');
}

/* Was the id counted before? If not, it is now. */
static bool record_knows(struct record *r, uint64_t id)
{
    for (size_t i = 0; i < r->ids; i++)
        if (r->id[i] == id)
            return true;
    if (r->ids < SCORE_IDS) {
        r->id[r->ids++] = id;
    } else {
        r->id[r->next] = id;
        r->next = (r->next + 1) % SCORE_IDS;
    }
    return false;
}

/* The sums of a day, made when new; the oldest day makes room. NULL: older than all. */
static double *record_day(struct record *r, double day)
{
    size_t at = r->days;

    while (at > 0 && r->day[at - 1][0] >= day)
        at--;
    if (at < r->days && r->day[at][0] == day)
        return r->day[at];
    if (r->days == SCORE_DAYS) {
        if (at == 0)
            return NULL;
        memmove(r->day[0], r->day[1], (SCORE_DAYS - 1) * sizeof *r->day);
        r->days--;
        at--;
    }
    memmove(r->day[at + 1], r->day[at], (r->days - at) * sizeof *r->day);
    memset(r->day[at], 0, sizeof *r->day);
    r->day[at][0] = day;
    r->days++;
    return r->day[at];
}

static bool record_add(struct record *r, const struct score *s)
{
    if (s->id && record_knows(r, s->id))
        return false;
    double *d = record_day(r, floor((double)s->time / DAY_S));
    if (!d)
        return false;
    d[1]++;
    d[2] += s->value;
    d[3] += s->value * s->value;
    d[4] += s->rated;
    d[5] += s->pass;
    return true;
}

/* "workload/arm/metric": neither of the last two has a '/'. */
static bool key_parse(struct slice key, struct slice *workload, enum compare_side *arm,
                      struct slice *metric)
{
    struct slice part[2];

    for (int i = 0; i < 2; i++) {
        size_t at = key.n;
        while (at > 0 && key.p[at - 1] != '/')
            at--;
        if (at == 0)
            return false;
        part[i] = slice_from(key, at);
        key = slice_head(key, at - 1);
    }
    *metric = part[0];
    *workload = key;
    return read_arm(part[1], arm);
}

/* --- names of metrics -----------------------------------------------------------------
 */

struct sums {
    struct slice workload;
    double from_day;
    struct arena *arena;
    struct record *record; /* or NULL: names only */
    struct compare_case *c;
};

/* The place of a metric in the case; COMPARE_SCORES_MAX: no room. */
static size_t metric_at(struct sums *s, struct slice name)
{
    size_t i = 0;

    for (; i < s->c->metrics; i++)
        if (slice_eq(slice_str(s->c->metric[i]), name))
            return i;
    if (i == COMPARE_SCORES_MAX)
        return i;
    s->c->metric[i] = arena_dup(s->arena, name).p;
    if (!s->c->metric[i])
        return COMPARE_SCORES_MAX;
    return s->c->metrics++;
}

static enum status sum_record(void *arg, const struct store_record *rec)
{
    struct sums *s = arg;
    struct slice workload, metric;
    enum compare_side arm;

    if (!key_parse(slice_str(rec->key), &workload, &arm, &metric) ||
        !slice_eq(workload, s->workload))
        return ST_OK;
    size_t i = metric_at(s, metric);
    if (i == COMPARE_SCORES_MAX)
        return ST_LIMIT;
    if (!s->record)
        return ST_OK;
    if (record_parse(slice_str(rec->json), s->record) != ST_OK)
        return ST_BAD;
    struct compare_score *out = &s->c->arm[arm].score[i];
    for (size_t k = 0; k < s->record->days; k++) {
        const double *d = s->record->day[k];
        if (d[0] < s->from_day)
            continue;
        out->n += (uint64_t)d[1];
        out->sum += d[2];
        out->sum2 += d[3];
        out->rated += (uint64_t)d[4];
        out->passes += (uint64_t)d[5];
    }
    return ST_OK;
}

enum status score_sums(struct store *store, const char *workload, int64_t from_s,
                       struct arena *a, struct compare_case *c)
{
    struct sums s = { .workload = slice_str(workload),
                      .from_day = floor((double)from_s / DAY_S),
                      .arena = a,
                      .record = malloc(sizeof *s.record),
                      .c = c };

    if (!s.record)
        return ST_NOMEM;
    enum status st = store_record_list(store, kind, NULL, 1, sum_record, &s);
    free(s.record);
    return st;
}

/* --- counting -------------------------------------------------------------------------
 */

struct scores {
    struct store *store;
    pthread_mutex_t lock;
};

struct scores *scores_new(struct store *store)
{
    struct scores *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->store = store;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void scores_free(struct scores *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool same_key(const struct score *a, const struct score *b)
{
    return a->arm == b->arm && slice_eq(a->metric, b->metric) &&
           slice_eq(a->workload, b->workload);
}

/* Would every metric of the list find room? */
static enum status check_room(struct scores *s, const struct score_list *list)
{
    enum status st = ST_OK;
    struct arena a;

    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < list->n && st == ST_OK; i++) {
        struct compare_case c = { .metrics = 0 };
        struct sums sums = { .workload = list->at[i].workload, .arena = &a, .c = &c };
        bool first = true;
        for (size_t k = 0; k < i && first; k++)
            first = !slice_eq(list->at[k].workload, list->at[i].workload);
        if (!first)
            continue;
        st = store_record_list(s->store, kind, NULL, 1, sum_record, &sums);
        for (size_t k = i; k < list->n && st == ST_OK; k++)
            if (slice_eq(list->at[k].workload, sums.workload) &&
                metric_at(&sums, list->at[k].metric) == COMPARE_SCORES_MAX)
                st = ST_LIMIT;
        arena_reset(&a);
    }
    arena_release(&a);
    return st;
}

/* Every score of the list with the key of the first-th, in one record. */
static enum status add_key(struct scores *s, const struct score_list *list, size_t first,
                           struct record *r, uint64_t *added)
{
    struct buf key = { 0 }, json = { 0 };
    const struct score *one = &list->at[first];
    uint64_t fresh = 0;

    buf_addf(&key, "%.*s/%s/%.*s", SLICE_FMT(one->workload), compare_side_name(one->arm),
             SLICE_FMT(one->metric));
    r->days = r->ids = r->next = 0;
    enum status st =
        key.st ? key.st : store_record_get(s->store, kind, buf_cstr(&key), &json, NULL);
    if (st == ST_OK)
        st = record_parse(slice_str(buf_cstr(&json)), r);
    if (st != ST_OK && st != ST_NOT_FOUND)
        goto out;
    for (size_t i = first; i < list->n; i++)
        if (same_key(&list->at[i], one))
            fresh += record_add(r, &list->at[i]);
    buf_reset(&json);
    record_format(r, &json);
    struct store_record rec = { .kind = kind,
                                .key = buf_cstr(&key),
                                .json = buf_cstr(&json) };
    st = json.st ? json.st : fresh ? store_record_put(s->store, &rec, 1) : ST_OK;
    if (st == ST_OK)
        *added += fresh;
out:
    buf_release(&key);
    buf_release(&json);
    return st;
}

enum status scores_add(struct scores *s, const struct score_list *list, uint64_t *added)
{
    struct record *r = malloc(sizeof *r);
    enum status st = r ? ST_OK : ST_NOMEM;

    *added = 0;
    pthread_mutex_lock(&s->lock);
    if (st == ST_OK)
        st = check_room(s, list);
    for (size_t i = 0; i < list->n && st == ST_OK; i++) {
        bool first = true;
        for (size_t k = 0; k < i && first; k++)
            first = !same_key(&list->at[k], &list->at[i]);
        if (first)
            st = add_key(s, list, i, r, added);
    }
    pthread_mutex_unlock(&s->lock);
    free(r);
    return st;
}
