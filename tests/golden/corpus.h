/*
 * Reader of the corpus of recorded exchanges (dev.jsonl.gz, dev.truth.jsonl) for the
 * golden tests: one exchange and its expected verdict at a time, bodies decoded.
 * Built on common/json; test code only.
 */
#ifndef BREAKEVEN_TESTS_CORPUS_H
#define BREAKEVEN_TESTS_CORPUS_H

#include "agent/extract.h"
#include "common/arena.h"

#include <zlib.h>

enum { CORPUS_HEADERS = 128, CORPUS_ALTERNATIVES = 8, CORPUS_EXTRAS = 8 };

/* Numbers of an expected verdict; -1 stands for null. */
enum truth_number {
    T_INPUT,
    T_CACHE_READ,
    T_CACHE_WRITE,
    T_CACHE_WRITE_5M,
    T_CACHE_WRITE_1H,
    T_OUTPUT,
    T_REASONING,
    T_TOTAL,
    TRUTH_NUMBERS,
};

extern const char *const truth_names[TRUTH_NUMBERS];

struct truth {
    struct slice id, provider, surface, accounting, outcome, framing;
    struct slice model, model_request, response_id;
    bool usage_present, must_estimate;
    int64_t v[TRUTH_NUMBERS];
    /* other defensible values; -2: not given here */
    int64_t alternative[CORPUS_ALTERNATIVES][TRUTH_NUMBERS];
    size_t alternatives;
    int64_t extra[CORPUS_EXTRAS][TRUTH_NUMBERS];
    size_t extras;
    int64_t output_chars;
};

struct exchange_record {
    struct slice id, provider, scheme, host, method, path, coding;
    uint16_t port, status;
    struct extract_header request_header[CORPUS_HEADERS], response_header[CORPUS_HEADERS];
    size_t request_headers, response_headers;
    struct slice request, response; /* bodies, decoded */
    struct truth truth;
};

struct corpus {
    gzFile exchanges;
    gzFile truths;
    struct arena arena; /* of the pair at hand */
    char *line[2];
    size_t cap[2];
};

/* False, with a message, when there is no corpus here: skip the test. */
bool corpus_open(struct corpus *c);
/* The next pair; false at the end. Aborts on a corpus that is damaged. */
bool corpus_next(struct corpus *c, struct exchange_record *out);
void corpus_close(struct corpus *c);

#endif
