/* Lines of series: parse, and forecast what parses; every output is a number in order. */
#include "collector/projection/forecast.h"
#include "collector/projection/series_csv.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void forecast_line(const struct series_line *s, struct arena *a)
{
    struct forecast f;
    struct forecast_request rq = {
        .y = s->y, .n = s->n, .season = s->season, .horizon = 12
    };

    if (s->n > 200 || forecast_make(&rq, a, &f) != ST_OK)
        return;
    for (int i = 0; i < f.h; i++) {
        double lo, hi;
        forecast_interval(&f, i, FORECAST_Z95, &lo, &hi);
        assert(isfinite(f.point[i]) && f.point[i] >= 0);
        assert(lo >= 0 && lo <= f.point[i] && hi >= f.point[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = slice_of(data, n), line;
    struct arena a;
    struct buf why = { 0 };

    arena_init(&a, 8 << 20);
    for (bool more = true; more;) {
        struct series_line s;
        more = slice_cut(rest, '\n', &line, &rest);
        series_csv_header(line);
        if (series_csv_line(line, &a, &s, &why) == ST_OK)
            forecast_line(&s, &a);
        arena_reset(&a);
        buf_reset(&why);
    }
    arena_release(&a);
    buf_release(&why);
    return 0;
}
