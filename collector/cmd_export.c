/* `export`: usage with cost as JSON or CSV on stdout, read beside a running server. */
#include "collector/api.h"
#include "collector/command.h"
#include "collector/export.h"
#include "collector/export_openmetrics.h"
#include "common/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char cmd_export_usage[] =
    "usage: breakeven-collector export [--csv|--json|--openmetrics] [--from TIME] [--to "
    "TIME]\n"
    "         [--grain total|hour|day|week|month] [--group-by DIMENSION,…]\n"
    "         [--filter DIMENSION=VALUE] [--offset +HH:MM] --config FILE\n"
    "Dimensions: app environment provider model surface tier region scope seen outcome\n"
    "quality context agent. Times: 2026-11-23, RFC 3339 or Unix seconds; --to includes a "
    "day. --openmetrics writes history for promtool tsdb create-blocks-from "
    "openmetrics,\n"
    "by day or hour, grouped as /metrics unless told; --labels "
    "job=NAME,instance=HOST:PORT\n"
    "are put into every series, so that it goes on in what Prometheus scrapes.\n";

struct asked {
    const char *config, *from, *to, *grain, *group, *filter, *offset, *labels;
    bool csv, json, openmetrics;
};

/* The options as the API's parameters, so both mean the same. */
static size_t make_params(const struct asked *o, struct api_param *p)
{
    const char *const pairs[][2] = { { "from", o->from },
                                     { "to", o->to },
                                     { "grain", o->grain },
                                     { "group_by", o->group },
                                     { "offset", o->offset } };
    size_t n = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1])
            p[n++] = (struct api_param){ slice_str(pairs[i][0]), slice_str(pairs[i][1]) };
    if (o->filter) {
        slice_cut(slice_str(o->filter), '=', &p[n].name, &p[n].value);
        n++;
    }
    return n;
}

/* An answer of the API, {"error":"…"}, as a message. */
static void print_refusal(struct slice body)
{
    struct json j;
    struct slice text = body;
    json_init(&j, JSON_ONE);
    json_feed(&j, body);
    if (json_next(&j, &text) != JSON_OBJECT || json_next(&j, &text) != JSON_KEY ||
        json_next(&j, &text) != JSON_STRING)
        text = body;
    fprintf(stderr, "breakeven-collector: export: %.*s\n", SLICE_FMT(text));
}

static enum status format_usage(const struct asked *o, const struct query_result *r,
                                enum store_grain grain, struct arena *a, struct buf *out)
{
    struct buf labels = { 0 };
    enum status st = ST_OK;
    if (o->openmetrics) {
        export_labels(slice_str(o->labels), &labels);
        st = export_openmetrics(r, grain, time(NULL), buf_slice(&labels), a, out);
    } else {
        export_usage(r, grain, o->csv ? EXPORT_CSV : EXPORT_JSON, out);
    }
    buf_release(&labels);
    return st == ST_OK ? out->st : st;
}

static enum status write_usage(const struct config *cf, const struct store_query *q,
                               const struct asked *asked, struct arena *a,
                               struct buf *why)
{
    struct store *store = NULL;
    struct price_book *book = NULL;
    struct query_result r;
    struct buf out = { 0 };
    struct store_options o = { .dir = cf->data_dir, .read_only = true };
    enum status st =
        price_book_open(*cf->prices ? cf->prices : NULL,
                        *cf->price_overrides ? cf->price_overrides : NULL, &book, why);
    if (st == ST_OK)
        st = store_sqlite_open(&o, &store, why);
    if (st == ST_OK)
        st = query_usage(store, book, q, a, &r);
    if (st == ST_OK)
        st = format_usage(asked, &r, q->grain, a, &out);
    if (st == ST_OK && (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0))
        st = ST_IO;
    buf_release(&out);
    store_free(store);
    price_book_free(book);
    return st;
}

/* What cannot be asked together. */
static bool contradicts(const struct asked *o)
{
    struct buf labels = { 0 };
    bool bad = o->csv + o->json + o->openmetrics > 1 ||
               (o->filter && !strchr(o->filter, '=')) || (o->labels && !o->openmetrics) ||
               !export_labels(slice_str(o->labels), &labels) ||
               (o->openmetrics && o->offset) ||
               (o->openmetrics && o->grain && strcmp(o->grain, "day") != 0 &&
                strcmp(o->grain, "hour") != 0);
    buf_release(&labels);
    return bad;
}

int cmd_export(int argc, char **argv)
{
    struct asked o = { 0 };
    const struct command_option options[] = {
        { "config", &o.config, NULL },
        { "from", &o.from, NULL },
        { "to", &o.to, NULL },
        { "grain", &o.grain, NULL },
        { "group-by", &o.group, NULL },
        { "filter", &o.filter, NULL },
        { "offset", &o.offset, NULL },
        { "csv", NULL, &o.csv },
        { "json", NULL, &o.json },
        { "labels", &o.labels, NULL },
        { "openmetrics", NULL, &o.openmetrics },
    };
    struct config cf;
    struct arena conf, a;
    struct buf why = { 0 };
    struct api_param param[8];
    struct store_query q;
    int words, rc = 0;
    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words || contradicts(&o)) {
        fputs(cmd_export_usage, stderr);
        return 2;
    }
    if (o.openmetrics && !o.group)
        o.group = "app,provider,model";
    if (o.openmetrics && !o.from)
        o.from = "1970-01-01";
    if (!command_config(o.config, &conf, &cf))
        return 2;
    arena_init(&a, (size_t)1 << 31);
    struct api_reply reply = { .status = 200 };
    struct api_request request = {
        .param = param, .params = make_params(&o, param), .now_s = time(NULL), .arena = &a
    };
    if (!api_query(&request, STORE_DAY, &q, &reply)) {
        print_refusal(buf_slice(&reply.body));
        rc = 2;
    } else {
        enum status st = write_usage(&cf, &q, &o, &a, &why);
        if (st != ST_OK)
            fprintf(stderr, "breakeven-collector: export: %s\n",
                    why.n ? buf_cstr(&why) : status_name(st));
        rc = st == ST_OK ? 0 : 1;
    }
    buf_release(&reply.body);
    buf_release(&why);
    arena_release(&a);
    arena_release(&conf);
    return rc;
}
