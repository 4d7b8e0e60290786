/* Compare, keep: see decide_record.h. The store is touched by the last functions only. */
#include "collector/projection/decide_record.h"

#include <math.h>
#include <stdio.h>

#include "collector/store.h"
#include "common/json_pointer.h"

static const char kind[] = "decision";

/* How far a number must move to matter, of the larger of both; what is no number matters
 * when it differs. */
#define ANY   0.0
#define TENTH 0.1
#define NEVER INFINITY

static const struct field {
    const char *pointer, *label;
    double matters;
    double least; /* and by at least so much: a tenth of next to nothing is noise */
} fields[] = {
    { "/recommendation", "recommendation", ANY, 0 },
    { "/stage", "step", ANY, 0 },
    { "/score", "score", TENTH, 0 },
    { "/criteria/0/mark", "volume speaks", ANY, 0 },
    { "/criteria/1/mark", "cost trend speaks", ANY, 0 },
    { "/criteria/2/mark", "task speaks", ANY, 0 },
    { "/criteria/3/mark", "data privacy speaks", ANY, 0 },
    { "/criteria/4/mark", "latency speaks", ANY, 0 },
    { "/criteria/5/mark", "output control speaks", ANY, 0 },
    { "/criteria/6/mark", "data speaks", ANY, 0 },
    { "/criteria/7/mark", "MLOps speaks", ANY, 0 },
    { "/criteria/8/mark", "stability speaks", ANY, 0 },
    { "/projection/verdict", "verdict of the projection", ANY, 0 },
    { "/projection/calls_per_day", "calls a day", TENTH, 0 },
    { "/projection/usd_per_day", "API USD a day", TENTH, 0 },
    { "/projection/threshold_calls_per_day", "threshold, calls a day", TENTH, 0 },
    { "/projection/crossing_months50", "months to the crossing, median", TENTH, 1 },
    { "/projection/payback_months50", "months to the payback, median", TENTH, 1 },
    { "/projection/crossing_p12", "P(crossing within 12 months)", TENTH, 0.1 },
    { "/projection/saving12", "USD saved after 12 months", TENTH, 100 },
    { "/scenario/gpu", "GPU", ANY, 0 },
    { "/scenario/capacity", "capacity", ANY, 0 },
    { "/scenario/monthly_fixed", "monthly_fixed", ANY, 0 },
    { "/scenario/setup", "setup", ANY, 0 },
    { "/scenario/gpu_hour", "gpu_hour", ANY, 0 },
    { "/scenario/gpus_per_replica", "gpus_per_replica", ANY, 0 },
    { "/scenario/output_tokens_per_s", "output_tokens_per_s", ANY, 0 },
    { "/scenario/input_tokens_per_s", "input_tokens_per_s", ANY, 0 },
    { "/scenario/requests_per_s", "requests_per_s", ANY, 0 },
    { "/scenario/headroom", "headroom", ANY, 0 },
    { "/scenario/min_replicas", "min_replicas", ANY, 0 },
    { "/scenario/coverage", "coverage", ANY, 0 },
    { "/scenario/escalation", "escalation", ANY, 0 },
    { "/scenario/retrain", "retrain", ANY, 0 },
    { "/scenario/retrain_months", "retrain_months", ANY, 0 },
    { "/scenario/api_price_change", "api_price_change", ANY, 0 },
    { "/scenario/gpu_price_change", "gpu_price_change", ANY, 0 },
    { "/declared/privacy", "privacy", ANY, 0 },
    { "/declared/latency", "latency", ANY, 0 },
    { "/declared/output_control", "output_control", ANY, 0 },
    { "/declared/task", "task", ANY, 0 },
    { "/declared/mlops", "mlops", ANY, 0 },
    { "/declared/stability", "stability", ANY, 0 },
    { "/declared/test", "test", ANY, 0 },
    { "/test/state", "state of the test", ANY, 0 },
    { "/test/quality", "quality in the test", ANY, 0 },
    { "/test/examples", "examples in the test", TENTH, 100 },
    { "/declared/examples", "examples", TENTH, 0 },
    { "/price_book", "prices of", NEVER, 0 },
    { "/program", "program", NEVER, 0 },
};

_Static_assert(sizeof fields / sizeof *fields <= DECISION_CHANGES_MAX, "room for all");

/* A value as it is shown, and as a number where it is one. */
struct value {
    char text[128];
    double number; /* NAN: no number */
};

static void read_value(struct slice doc, const char *pointer, struct value *out)
{
    struct slice text = { 0 };
    char hold[512];
    enum json_type t = json_pointer(doc, pointer, hold, sizeof hold, &text);

    out->number = NAN;
    if (t == JSON_NUMBER) {
        out->number = json_pointer_double(doc, pointer, NAN);
        bool whole = fabs(out->number) >= 1000 && fabs(out->number) < 1e15;
        snprintf(out->text, sizeof out->text, whole ? "%.0f" : "%.4g", out->number);
    } else if (t == JSON_STRING) {
        snprintf(out->text, sizeof out->text, "%.*s", SLICE_FMT(text));
    } else {
        snprintf(out->text, sizeof out->text, "unknown");
    }
}

static bool matters(const struct field *f, const struct value *was,
                    const struct value *is)
{
    if (isnan(was->number) || isnan(is->number))
        return !isinf(f->matters);
    double larger = fmax(fabs(was->number), fabs(is->number));
    double moved = fabs(is->number - was->number);
    return moved > f->matters * larger && moved >= f->least;
}

static const char *sentence(const struct field *f, const struct value *was,
                            const struct value *is, struct arena *a)
{
    char text[400], percent[40] = "";

    if (was->number > 0 && is->number >= 0)
        snprintf(percent, sizeof percent, " (%+.3g %%)",
                 100 * (is->number / was->number - 1));
    snprintf(text, sizeof text, "%s: %s, was %s%s", f->label,
             *is->text ? is->text : "none", *was->text ? was->text : "none", percent);
    return arena_dup(a, slice_str(text)).p;
}

enum status decision_compare(struct slice before, struct slice after, struct arena *a,
                             struct decision_changes *out)
{
    *out = (struct decision_changes){ 0 };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const struct field *f = &fields[i];
        struct value was, is;
        read_value(before, f->pointer, &was);
        read_value(after, f->pointer, &is);
        if (strcmp(was.text, is.text) == 0)
            continue;
        out->material |= matters(f, &was, &is);
        out->at[out->n] = sentence(f, &was, &is, a);
        if (!out->at[out->n++])
            return ST_NOMEM;
    }
    return ST_OK;
}

/* --- record ---------------------------------------------------------------------------
 */

static const char *const *changes_of(const struct decision_record *rec)
{
    return rec->first ? NULL : rec->changes.at;
}

void decision_record_json(const struct decision_record *rec, struct buf *out)
{
    decision_json(&rec->decision, &rec->versions, changes_of(rec), out);
}

void decision_record_markdown(const struct decision_record *rec, struct buf *out)
{
    decision_markdown(&rec->decision, &rec->versions, changes_of(rec), out);
}

enum status decision_record_make(struct store *store, const struct price_book *prices,
                                 const struct workload *w,
                                 const struct projection_result *r,
                                 const struct compare_result *test, struct arena *a,
                                 struct decision_record *out)
{
    struct buf before = { 0 }, now = { 0 };
    enum status st = decide(w, r, test, a, &out->decision);

    out->versions =
        (struct decision_versions){ BREAKEVEN_VERSION, price_book_day(prices, r->at) };
    out->changes = (struct decision_changes){ 0 };
    if (!st)
        st = store_record_get(store, kind, w->name, &before, NULL);
    out->first = st == ST_NOT_FOUND;
    if (out->first)
        st = ST_OK;
    else if (!st) {
        decision_json(&out->decision, &out->versions, NULL, &now);
        st = now.st ? now.st
                    : decision_compare(buf_slice(&before), buf_slice(&now), a,
                                       &out->changes);
    }
    buf_release(&before);
    buf_release(&now);
    return st;
}

enum status decision_record_save(struct store *store, const struct decision_record *rec)
{
    const struct projection_result *r = rec->decision.projection;
    struct buf json = { 0 };

    decision_record_json(rec, &json);
    struct store_record record = {
        .kind = kind, .key = r->workload, .json = buf_cstr(&json), .at = r->at
    };
    enum status st = json.st ? json.st : store_record_put(store, &record, 0);
    buf_release(&json);
    return st;
}
