/* What every engine of the store shares: names, calendar buckets, the newest record. */
#include "collector/store.h"

static const char *const more_dims[] = { "seen", "outcome", "quality", "context",
                                         "agent" };
static const char *const grains[] = { "total", "hour", "day", "week", "month" };

const char *store_dim_name(enum store_dim d)
{
    if ((int)d < 0 || d >= STORE_DIMS)
        return "";
    return d < STORE_SEEN ? rollup_name_columns[d] : more_dims[d - STORE_SEEN];
}

bool store_dim_parse(struct slice name, enum store_dim *out)
{
    for (*out = 0; *out < STORE_DIMS; ++*out)
        if (slice_eq(name, slice_str(store_dim_name(*out))))
            return true;
    return false;
}

bool store_grain_parse(struct slice name, enum store_grain *out)
{
    for (*out = STORE_TOTAL; *out <= STORE_MONTH; ++*out)
        if (slice_eq(name, slice_str(grains[*out])))
            return true;
    return false;
}

static int64_t floor_to(int64_t at, int64_t unit)
{
    int64_t rest = at % unit;
    return at - (rest < 0 ? rest + unit : rest);
}

/* Day of the month (from 0) of a day number since 1970: Hinnant's civil_from_days. */
static int64_t month_day(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    return doy - (153 * mp + 2) / 5;
}

int64_t store_bucket(int64_t at, enum store_grain grain, int32_t offset_s)
{
    int64_t local = at + offset_s;
    int64_t day = floor_to(local, 86400);
    switch (grain) {
    case STORE_TOTAL:
        return 0;
    case STORE_HOUR:
        return floor_to(local, 3600) - offset_s;
    case STORE_DAY:
        break;
    case STORE_WEEK: /* 1970-01-01 was a Thursday */
        day = floor_to(day + 3 * 86400, 7 * 86400) - 3 * 86400;
        break;
    case STORE_MONTH:
        day -= month_day(day / 86400) * 86400;
        break;
    }
    return day - offset_s;
}

struct newest {
    struct buf *json;
    int64_t at;
    bool found;
};

static enum status keep_newest(void *arg, const struct store_record *r)
{
    struct newest *n = arg;
    n->found = true;
    n->at = r->at;
    buf_adds(n->json, r->json);
    return n->json->st;
}

enum status store_record_get(struct store *s, const char *kind, const char *key,
                             struct buf *json, int64_t *at)
{
    struct newest n = { .json = json };
    enum status st = store_record_list(s, kind, key, 1, keep_newest, &n);
    if (st == ST_OK && !n.found)
        st = ST_NOT_FOUND;
    if (at)
        *at = n.at;
    return st;
}

/* For each dimension that is filtered, one allowed value? */
bool store_passes(const struct store_query *q, const struct slice *dim)
{
    uint32_t asked = 0, met = 0;
    for (size_t i = 0; i < q->filters; i++) {
        const struct store_filter *f = &q->filter[i];
        if (f->dim == STORE_AGENT)
            continue;
        asked |= store_bit(f->dim);
        if (slice_eq(f->value, dim[f->dim]))
            met |= store_bit(f->dim);
    }
    return asked == met;
}

bool store_wants_agent(const struct store_query *q)
{
    bool wants = q->group & store_bit(STORE_AGENT);
    for (size_t i = 0; i < q->filters; i++)
        wants = wants || q->filter[i].dim == STORE_AGENT;
    return wants;
}

bool store_reads_hours(const struct store_query *q)
{
    return q->grain == STORE_HOUR || q->offset_s != 0 || store_wants_agent(q);
}
