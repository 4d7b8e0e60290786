/* Names of header fields: see hpack_names.h. */
#include "agent/hpack_names.h"

bool hpack_is_credential(struct slice name)
{
    static const char *const words[] = { "auth", "cookie", "key", "secret" };
    if (slice_ends(name, SLICE("-cache-status"))) /* x-portkey-cache-status */
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_find(name, slice_str(words[i])) != SIZE_MAX)
            return name.p[0] != ':';
    return slice_ends(name, SLICE("token"));
}

/* What clients, providers and the edges before them say of themselves in each message. */
static const char *const unread[] = {
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "alt-svc",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-version",
    "baggage",
    "cache-control",
    "cf-cache-status",
    "cf-ray",
    "connection",
    "content-disposition",
    "content-language",
    "content-security-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "expires",
    "idempotency-key",
    "last-modified",
    "nel",
    "openai-beta",
    "openai-processing-ms",
    "openai-version",
    "origin",
    "permissions-policy",
    "pragma",
    "priority",
    "referer",
    "referrer-policy",
    "report-to",
    "retry-after",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "server",
    "server-timing",
    "strict-transport-security",
    "timing-allow-origin",
    "traceparent",
    "tracestate",
    "user-agent",
    "vary",
    "via",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-cache",
    "x-cloud-trace-context",
    "x-content-type-options",
    "x-envoy-upstream-service-time",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-frame-options",
    "x-goog-api-client",
    "x-ms-rai-invoked",
    "x-ms-region",
    "x-openai-proxy-wasm",
    "x-powered-by",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-robots-tag",
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-read-timeout",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
    "x-xss-protection",
};

enum { UNREAD = sizeof unread / sizeof *unread };

unsigned hpack_unread(struct slice name)
{
    unsigned low = 0, high = UNREAD;
    while (low < high) { /* the list is sorted */
        unsigned middle = (low + high) / 2;
        struct slice at = slice_str(unread[middle]);
        size_t n = at.n < name.n ? at.n : name.n;
        int order = n ? memcmp(name.p, at.p, n) : 0;
        if (order == 0 && at.n == name.n)
            return middle + 1;
        if (order < 0 || (order == 0 && name.n < at.n))
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

struct slice hpack_unread_name(unsigned place)
{
    return slice_str(unread[place - 1]);
}
