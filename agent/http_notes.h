/*
 * What the headers of an exchange say besides its usage: how often the client had tried
 * before, what the provider's rate limit leaves, and whose call it is (the label, filled
 * by whoever knows the rules). Pure. Filled by http_call; read by source_live and scan.
 */
#ifndef BREAKEVEN_HTTP_NOTES_H
#define BREAKEVEN_HTTP_NOTES_H

#include "agent/extract.h"

enum { HTTP_LABEL = 64 };

struct http_notes {
    int64_t retry;                      /* tries before this one; -1: not said */
    int64_t left_requests, left_tokens; /* until the limit is reached; -1: not said */
    uint16_t rule;                      /* 1 + the rule that fits; 0: none */
    unsigned char label_n;
    char label[HTTP_LABEL]; /* the name it took from the exchange, cut; or empty */
};

void http_notes_init(struct http_notes *n);
/* x-stainless-retry-count: the SDKs of OpenAI, Anthropic and others (Stainless). */
void http_notes_request(struct http_notes *n, const struct extract_header *h,
                        size_t fields);
/*
 * x-ratelimit-remaining-requests, -tokens (OpenAI, Azure, Groq, xAI and others);
 * anthropic-ratelimit-requests-remaining, -tokens-remaining.
 */
void http_notes_response(struct http_notes *n, const struct extract_header *h,
                         size_t fields);

#endif
