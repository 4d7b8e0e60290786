/* Retries and rate limits in headers: see http_notes.h. */
#include "agent/http_notes.h"

enum note { NOTE_REQUESTS, NOTE_TOKENS };

static const struct {
    const char *name;
    enum note note;
} limits[] = {
    { "x-ratelimit-remaining-requests", NOTE_REQUESTS },
    { "x-ratelimit-remaining-tokens", NOTE_TOKENS },
    { "anthropic-ratelimit-requests-remaining", NOTE_REQUESTS },
    { "anthropic-ratelimit-tokens-remaining", NOTE_TOKENS },
};

void http_notes_init(struct http_notes *n)
{
    *n = (struct http_notes){ .retry = -1, .left_requests = -1, .left_tokens = -1 };
}

static void read_count(struct slice value, int64_t *to)
{
    uint64_t v;
    if (slice_u64(slice_trim(value), &v) && v <= INT64_MAX)
        *to = (int64_t)v;
}

void http_notes_request(struct http_notes *n, const struct extract_header *h,
                        size_t fields)
{
    for (size_t i = 0; i < fields; i++)
        if (slice_ieq(h[i].name, SLICE("x-stainless-retry-count")))
            read_count(h[i].value, &n->retry);
}

void http_notes_response(struct http_notes *n, const struct extract_header *h,
                         size_t fields)
{
    for (size_t i = 0; i < fields; i++) {
        if (!slice_istarts(h[i].name, SLICE("x-ratelimit-")) &&
            !slice_istarts(h[i].name, SLICE("anthropic-ratelimit-")))
            continue;
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
            if (slice_ieq(h[i].name, slice_str(limits[k].name)))
                read_count(h[i].value, limits[k].note == NOTE_TOKENS ? &n->left_tokens
                                                                     : &n->left_requests);
    }
}
