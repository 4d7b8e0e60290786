/* Suffixes and prefixes of model names. */
#include "common/price_name.h"

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* Does s end in `pattern`, where 9 stands for any digit? Cut it off if so. */
static bool cut_tail(struct slice *s, const char *pattern)
{
    size_t n = strlen(pattern);
    if (s->n <= n)
        return false;
    const char *tail = s->p + s->n - n;
    for (size_t i = 0; i < n; i++)
        if (pattern[i] == '9' ? tail[i] < '0' || tail[i] > '9' : tail[i] != pattern[i])
            return false;
    s->n -= n;
    return true;
}

bool price_name_cut_suffix(struct slice *s)
{
    static const char *const tails[] = { "-9999-99-99", "-99999999", "-latest", "-999",
                                         "-v9" };
    size_t at = slice_chr(*s, '@');
    if (at != SIZE_MAX && at > 0) {
        s->n = at;
        return true;
    }
    at = slice_chr(*s, ':');
    if (at != SIZE_MAX && at > 0 && at + 1 < s->n &&
        all_digits(slice_of(s->p + at + 1, 1))) {
        s->n = at;
        return true;
    }
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (cut_tail(s, tails[i]))
            return true;
    return false;
}

bool price_name_cut_prefix(struct slice *s, struct slice *region)
{
    static const char *const regions[] = { "us.", "eu.", "apac.",   "jp.",    "au.",
                                           "ca.", "sa.", "us-gov.", "global." };
    static const char *const vendors[] = {
        "ai21.",     "amazon.",    "anthropic.",  "cohere.", "databricks-",
        "deepseek.", "google.",    "luma.",       "meta.",   "minimax.",
        "mistral.",  "moonshot.",  "moonshotai.", "nvidia.", "openai.",
        "qwen.",     "stability.", "writer.",     "xai.",    "zai.",
    };
    struct slice rest;
    if (slice_cut(*s, '/', &rest, &rest) && rest.n > 0) {
        *s = rest;
        return true;
    }
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        struct slice prefix = slice_str(regions[i]);
        if (slice_starts(*s, prefix)) {
            *region = slice_head(prefix, prefix.n - 1);
            *s = slice_from(*s, prefix.n);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++) {
        struct slice prefix = slice_str(vendors[i]);
        if (slice_starts(*s, prefix) && s->n > prefix.n) {
            *s = slice_from(*s, prefix.n);
            return true;
        }
    }
    return false;
}
