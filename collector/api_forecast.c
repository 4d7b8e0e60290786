/* See api_forecast.h: tables of columns and where they stand in a stored document. */
#include "collector/api_forecast.h"

#include "common/json.h"
#include "common/json_pointer.h"

#include <math.h>
#include <stdio.h>

struct column {
    const char *name, *pointer;
};

static const struct column month_columns[] = {
    { "calls", "/calls" },
    { "tokens", "/tokens" },
    { "api_usd", "/api/median" },
    { "api_usd_low", "/api/lo80" },
    { "api_usd_high", "/api/hi80" },
    { "hosted_usd", "/hosted/median" },
    { "hosted_usd_low", "/hosted/lo80" },
    { "hosted_usd_high", "/hosted/hi80" },
    { "saving_usd", "/saving/median" },
    { "saving_usd_low", "/saving/lo80" },
    { "saving_usd_high", "/saving/hi80" },
    { "p_cheaper", "/p_cheaper" },
    { "p_crossed", "/p_crossed" },
    { "p_paid", "/p_paid" },
    { "replicas", "/replicas" },
};

static const struct column workload_texts[] = {
    { "verdict", "/verdict" },           { "crossing_early", "/crossing/q10" },
    { "crossing", "/crossing/q50" },     { "crossing_late", "/crossing/q90" },
    { "payback_early", "/payback/q10" }, { "payback", "/payback/q50" },
    { "payback_late", "/payback/q90" },
};

static const struct column workload_columns[] = {
    { "calls_per_day", "/calls_per_day" },
    { "usd_per_day", "/usd_per_day" },
    { "threshold_calls_per_day", "/threshold_calls_per_day" },
    { "threshold_ratio", "/threshold_ratio" },
    { "crossing_p6", "/crossing/p6" },
    { "crossing_p12", "/crossing/p12" },
    { "payback_p6", "/payback/p6" },
    { "payback_p12", "/payback/p12" },
    { "never_pays", "/payback/never" },
    { "saving_12_months_usd", "/saving12/median" },
    { "backtest_mape", "/backtest_mape" },
    { "unpriced_share", "/unpriced_share" },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void put_text(struct json_out *o, const char *name, struct slice doc,
                     const char *pointer)
{
    char hold[64];
    struct slice text;
    json_key(o, name);
    if (json_pointer(doc, pointer, hold, sizeof hold, &text) == JSON_STRING)
        json_str(o, text);
    else
        json_null(o);
}

static void put_numbers(struct json_out *o, const struct column *c, size_t n,
                        struct slice doc, const char *prefix)
{
    for (size_t i = 0; i < n; i++) {
        char pointer[96];
        snprintf(pointer, sizeof pointer, "%s%s", prefix, c[i].pointer);
        json_key(o, c[i].name);
        json_num(o, json_pointer_double(doc, pointer, NAN)); /* NAN: null */
    }
}

struct listing {
    struct json_out o;
    struct slice workload; /* p == NULL: all */
};

static bool wanted(const struct listing *l, const struct store_record *rec)
{
    return !l->workload.p || slice_eq(l->workload, slice_str(rec->key));
}

static enum status put_months(void *arg, const struct store_record *rec)
{
    struct listing *l = arg;
    struct slice doc = slice_str(rec->json), text;
    char prefix[32], pointer[48], hold[64];
    for (int m = 0; wanted(l, rec); m++) {
        snprintf(prefix, sizeof prefix, "/month/%d", m);
        snprintf(pointer, sizeof pointer, "%s/start", prefix);
        if (json_pointer(doc, pointer, hold, sizeof hold, &text) != JSON_STRING)
            break;
        struct buf time = { 0 };
        buf_add(&time, text); /* a day */
        buf_adds(&time, "T00:00:00Z");
        json_open(&l->o, '{');
        json_key(&l->o, "time");
        json_str(&l->o, buf_slice(&time));
        buf_release(&time);
        json_key(&l->o, "workload");
        json_str(&l->o, slice_str(rec->key));
        put_numbers(&l->o, month_columns, COUNT(month_columns), doc, prefix);
        json_close(&l->o, '}');
    }
    return l->o.b->st;
}

static enum status put_workload(void *arg, const struct store_record *rec)
{
    struct listing *l = arg;
    struct slice doc = slice_str(rec->json);
    if (!wanted(l, rec))
        return ST_OK;
    json_open(&l->o, '{');
    put_text(&l->o, "time", doc, "/at");
    json_key(&l->o, "workload");
    json_str(&l->o, slice_str(rec->key));
    for (size_t i = 0; i < COUNT(workload_texts); i++)
        put_text(&l->o, workload_texts[i].name, doc, workload_texts[i].pointer);
    put_numbers(&l->o, workload_columns, COUNT(workload_columns), doc, "");
    json_close(&l->o, '}');
    return l->o.b->st;
}

static void list(const struct collector *c, const struct api_request *q,
                 struct api_reply *r, store_record_fn *put)
{
    struct listing l = { .o = { .b = &r->body }, .workload = api_param(q, "workload") };
    json_open(&l.o, '[');
    enum status st = store_record_list(c->store, "projection", NULL, 1, put, &l);
    json_close(&l.o, ']');
    if (st != ST_OK)
        api_error(r, 503, "projections cannot be read: %s", status_name(st));
}

void api_forecast(const struct collector *c, const struct api_request *q,
                  struct api_reply *r)
{
    list(c, q, r, put_months);
}

void api_breakeven(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    list(c, q, r, put_workload);
}
