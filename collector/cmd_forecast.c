/*
 * `forecast`: series in a CSV file (.gz or not), forecasts with 80 and 95 % intervals
 * out. The public way to check our accuracy, and a tool by itself. Reads line by line, so
 * memory is bounded by the longest series.
 */
#include "collector/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "collector/projection/forecast.h"
#include "collector/projection/paths.h"
#include "collector/projection/series_csv.h"

enum {
    LINE_MAX_BYTES = 32 << 20,
    SERIES_CEILING_BYTES = 512 << 20,
    SERIES_USUAL_BYTES = 2 << 20,
};

struct options {
    const char *input, *output;
    int horizon, season; /* 0: as the line says */
    int paths;           /* drawn and thrown away: a benchmark */
};

struct run {
    const struct options *o;
    FILE *out;
    struct arena arena; /* of one series */
    struct buf line, why;
    unsigned long at; /* line number */
};

const char cmd_forecast_usage[] =
    "usage: breakeven-collector forecast --input FILE --output FILE [options]\n"
    "\n"
    "Forecast every series of a CSV file (gzip or plain; - is standard input or "
    "output).\n"
    "Input lines: id,m,season,h,start,n,v1,...,vn under a header; NA is a missing "
    "value.\n"
    "Output lines: id,step,point,lo80,hi80,lo95,hi95.\n"
    "\n"
    "  --horizon N   steps to forecast, in place of the column h\n"
    "  --season M    season to use, in place of the column season; 1: none\n"
    "  --paths N     also draw N sample paths of each series (to measure the speed)\n";

/* The next line without its end into r->line. ST_END, ST_LIMIT, ST_IO. */
static enum status read_line(gzFile in, struct run *r)
{
    char chunk[1 << 16];

    buf_reset(&r->line);
    for (;;) {
        if (!gzgets(in, chunk, sizeof chunk)) {
            int err;
            gzerror(in, &err);
            if (err != Z_OK && err != Z_BUF_ERROR)
                return ST_IO;
            return r->line.n ? ST_OK : ST_END;
        }
        size_t n = strlen(chunk);
        bool end = n > 0 && chunk[n - 1] == '\n';
        buf_add(&r->line, slice_of(chunk, end ? n - 1 : n));
        if (r->line.st)
            return r->line.st;
        if (end)
            return ST_OK;
    }
}

static void write_forecast(FILE *out, struct slice id, const struct forecast *f)
{
    for (int i = 0; i < f->h; i++) {
        double lo80, hi80, lo95, hi95;
        forecast_interval(f, i, FORECAST_Z80, &lo80, &hi80);
        forecast_interval(f, i, FORECAST_Z95, &lo95, &hi95);
        fprintf(out, "%.*s,%d,%.9g,%.9g,%.9g,%.9g,%.9g\n", SLICE_FMT(id), i + 1,
                f->point[i], lo80, hi80, lo95, hi95);
    }
}

static enum status one_series(struct run *r)
{
    struct series_line s;
    struct forecast f;
    enum status st = series_csv_line(buf_slice(&r->line), &r->arena, &s, &r->why);

    if (st)
        return st;
    struct forecast_request rq = {
        .y = s.y,
        .n = s.n,
        .season = r->o->season ? r->o->season : s.season,
        .horizon = r->o->horizon ? r->o->horizon : s.horizon,
    };
    if ((st = forecast_make(&rq, &r->arena, &f))) {
        if (st == ST_BAD)
            buf_addf(&r->why, "series '%.*s' has no known value", SLICE_FMT(s.id));
        return st;
    }
    write_forecast(r->out, s.id, &f);
    if (r->o->paths) {
        struct paths p;
        st = paths_draw(&f, r->o->paths, dice_seed_of(s.id), &r->arena, &p);
    }
    return st;
}

static enum status every_series(gzFile in, struct run *r)
{
    enum status st;

    while ((st = read_line(in, r)) == ST_OK) {
        r->at++;
        if (r->at == 1) {
            if (series_csv_header(buf_slice(&r->line)))
                continue;
            buf_adds(&r->why, "the header is not id,m,season,h,start,n,values");
            return ST_BAD;
        }
        if (slice_trim(buf_slice(&r->line)).n == 0)
            continue;
        if ((st = one_series(r)))
            return st;
        arena_reset(&r->arena);
    }
    if (st == ST_END && r->at == 0) {
        buf_adds(&r->why, "the file is empty");
        return ST_BAD;
    }
    return st == ST_END ? ST_OK : st;
}

static int run_files(const struct options *o)
{
    bool std_in = strcmp(o->input, "-") == 0, std_out = strcmp(o->output, "-") == 0;
    gzFile in = std_in ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(o->input, "rb");

    if (!in) {
        fprintf(stderr, "forecast: %s: %s\n", o->input, strerror(errno));
        return 1;
    }
    struct run r = { .o = o, .out = std_out ? stdout : fopen(o->output, "w") };
    if (!r.out) {
        fprintf(stderr, "forecast: %s: %s\n", o->output, strerror(errno));
        gzclose(in);
        return 1;
    }
    r.line.limit = LINE_MAX_BYTES;
    arena_init(&r.arena, SERIES_CEILING_BYTES);
    arena_reserve(&r.arena, SERIES_USUAL_BYTES);
    fputs("id,step,point,lo80,hi80,lo95,hi95\n", r.out);
    enum status st = every_series(in, &r);
    if (st)
        fprintf(stderr, "forecast: %s:%lu: %s\n", o->input, r.at,
                r.why.n ? buf_cstr(&r.why) : status_name(st));
    bool failed = ferror(r.out) != 0;
    if ((std_out ? fflush(r.out) : fclose(r.out)) != 0 || failed) {
        fprintf(stderr, "forecast: %s: %s\n", o->output, strerror(errno));
        st = st ? st : ST_IO;
    }
    gzclose(in);
    arena_release(&r.arena);
    buf_release(&r.line);
    buf_release(&r.why);
    return st ? 1 : 0;
}

/* A whole number of [1, max] behind an option, where it was given. */
static bool option_count(const char *name, const char *text, int max, int *out)
{
    uint64_t v;

    if (!text)
        return true;
    if (slice_u64(slice_str(text), &v) && v >= 1 && v <= (uint64_t)max) {
        *out = (int)v;
        return true;
    }
    fprintf(stderr, "forecast: --%s is '%s', a whole number from 1 to %d is wanted\n",
            name, text, max);
    return false;
}

int cmd_forecast(int argc, char **argv)
{
    const char *horizon = NULL, *season = NULL, *paths = NULL;
    struct options o = { 0 };
    int words;
    const struct command_option options[] = {
        { "input", &o.input, NULL },   { "output", &o.output, NULL },
        { "horizon", &horizon, NULL }, { "season", &season, NULL },
        { "paths", &paths, NULL },
    };

    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words || !o.input || !o.output) {
        fputs(cmd_forecast_usage, stderr);
        return 2;
    }
    if (!option_count("horizon", horizon, SERIES_CSV_HORIZON_MAX, &o.horizon) ||
        !option_count("season", season, SERIES_CSV_SEASON_MAX, &o.season) ||
        !option_count("paths", paths, 1000000, &o.paths))
        return 2;
    return run_files(&o);
}
