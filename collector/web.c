/* Files of the page: see web.h. */
#include "collector/web.h"

const struct web_asset *web_find(struct slice name)
{
    for (const struct web_asset *a = web_assets; a->name; a++)
        if (slice_eq(slice_str(a->name), name))
            return a;
    return NULL;
}

/* Is the weight of "gzip;q=0.5" zero? Without one it is 1. */
static bool weighs_nothing(struct slice parameters)
{
    struct slice one;
    for (bool more = parameters.n > 0; more;) {
        more = slice_cut(parameters, ';', &one, &parameters);
        one = slice_trim(one);
        if (!slice_istarts(one, SLICE("q=")))
            continue;
        one = slice_from(one, 2);
        for (size_t i = 0; i < one.n; i++)
            if (one.p[i] >= '1' && one.p[i] <= '9')
                return false;
        return true;
    }
    return false;
}

bool web_accepts_gzip(struct slice accept_encoding)
{
    bool any = false;
    struct slice one, coding, parameters;
    for (bool more = accept_encoding.n > 0; more;) {
        more = slice_cut(accept_encoding, ',', &one, &accept_encoding);
        parameters = (struct slice){ 0 };
        slice_cut(one, ';', &coding, &parameters);
        coding = slice_trim(coding);
        if (slice_ieq(coding, SLICE("gzip")) || slice_ieq(coding, SLICE("x-gzip")))
            return !weighs_nothing(parameters); /* named: what "*" says is of others */
        any = any || (slice_eq(coding, SLICE("*")) && !weighs_nothing(parameters));
    }
    return any;
}

bool web_etag_matches(struct slice if_none_match, const char *etag)
{
    struct slice one;
    for (bool more = if_none_match.n > 0; more;) {
        more = slice_cut(if_none_match, ',', &one, &if_none_match);
        one = slice_trim(one);
        if (slice_starts(one, SLICE("W/")))
            one = slice_from(one, 2);
        if (slice_eq(one, SLICE("*")) || slice_eq(one, slice_str(etag)))
            return true;
    }
    return false;
}
