/* Docker and CRI records: see unwrap.h. */
#include "agent/unwrap.h"

#include "common/instant.h"
#include "common/json.h"
#include "common/usage.h"

static bool stream_of(struct slice name, unsigned *stream)
{
    *stream = slice_eq(name, SLICE("stderr"));
    return *stream || slice_eq(name, SLICE("stdout"));
}

/* Does the escaped text end in the newline that ends an application's line? */
static bool ends_line(struct slice raw)
{
    if (!slice_ends(raw, SLICE("\\n")))
        return false;
    size_t slashes = 1;
    while (slashes + 1 < raw.n && raw.p[raw.n - 2 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 1;
}

bool unwrap_docker(struct slice line, struct unwrapped *out)
{
    struct json j;
    struct slice key, raw;
    bool text = false, stream = false;
    *out = (struct unwrapped){ .escaped = true, .ts_ns = USAGE_NO_TIME };
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    json_finish(&j);
    if (json_next(&j, &key) != JSON_OBJECT)
        return false;
    while (json_next(&j, &key) == JSON_KEY) {
        bool log = slice_eq(key, SLICE("log")), time = slice_eq(key, SLICE("time"));
        bool which = slice_eq(key, SLICE("stream"));
        if (!(log || time || which) || !json_raw_string(&j, &raw)) {
            json_skip(&j);
            continue;
        }
        if (log) {
            out->text = raw;
            text = true;
        } else if (which) {
            stream = stream_of(raw, &out->stream);
        } else if (!instant_parse(raw, &out->ts_ns)) {
            out->ts_ns = USAGE_NO_TIME;
        }
    }
    out->partial = !ends_line(out->text);
    if (!out->partial)
        out->text.n -= 2;
    return text && stream && json_depth(&j) == 0;
}

bool unwrap_cri(struct slice line, struct unwrapped *out)
{
    struct slice time, stream, tag;
    *out = (struct unwrapped){ .ts_ns = USAGE_NO_TIME };
    if (!slice_cut(line, ' ', &time, &line) || !slice_cut(line, ' ', &stream, &line) ||
        !stream_of(stream, &out->stream))
        return false;
    slice_cut(line, ' ', &tag, &out->text); /* an empty line may end after its tag */
    slice_cut(tag, ':', &tag, &stream);
    out->partial = slice_eq(tag, SLICE("P"));
    if (!out->partial && !slice_eq(tag, SLICE("F")))
        return false;
    return instant_parse(time, &out->ts_ns);
}
