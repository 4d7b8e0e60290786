/*
 * The reader behind price_list.h, shared by its formats: tokens of the document, facts in
 * hand, their way out. Private to price_list*.c.
 */
#ifndef BREAKEVEN_PRICE_LIST_READ_H
#define BREAKEVEN_PRICE_LIST_READ_H

#include "collector/price_list.h"
#include "common/json.h"

enum { PRICE_LIST_KEY = 128, PRICE_LIST_CHUNK = 1 << 16 };

struct price_list_reader {
    const struct price_list_source *source;
    struct price_list_stats *stats;
    struct json json;
    bool failed;
    unsigned n; /* facts in hand */
    struct price_fact fact[PRICE_DATED_MAX];
    char chunk[PRICE_LIST_CHUNK];
};

/* The next token, past the ends of chunks. JSON_BAD sets r->failed. */
enum json_type price_list_next(struct price_list_reader *r, struct slice *text);

/* The next key of the open object (empty when it is too long); false at its end. */
bool price_list_member(struct price_list_reader *r, char key[PRICE_LIST_KEY]);

/* Into the next object of the open array, past whatever else stands there. */
bool price_list_element(struct price_list_reader *r);

/* Pass over the container that t opened; nothing for a scalar. */
void price_list_skip(struct price_list_reader *r, enum json_type t);

/* A number or a string: lists spell prices both ways. */
bool price_list_scalar(enum json_type t);

/* A copy with a NUL, empty when it does not fit. */
void price_list_copy(char *out, size_t size, struct slice s);

/* Dollars times 10^scale, divided by `per`: pico-dollars. False: no price. */
bool price_list_dollars(struct slice text, unsigned scale, uint64_t per, uint64_t *pico);

/* One more fact in hand, empty; NULL beyond PRICE_DATED_MAX. */
struct price_fact *price_list_begin(struct price_list_reader *r);

/* Into the variant (NULL: nowhere), unless it is beyond what a book holds. */
void price_list_set(struct price_variant *v, unsigned field, uint64_t pico);

/* Our name for a provider that a list calls otherwise. */
struct slice price_list_provider(struct slice theirs);

/* Hand over what is in hand under these names, or count it as passed over. */
void price_list_emit(struct price_list_reader *r, struct slice provider,
                     struct slice model);

/* --- formats ---------------------------------------------------------------------------
 */

/* LiteLLM: one entry, whose first key is read. */
void price_list_litellm(struct price_list_reader *r, const char *name, const char *first);

/* models.dev: the object under "models" of one provider, opened. */
void price_list_models_dev(struct price_list_reader *r, const char *provider);

/* genai-prices: one provider, opened. */
void price_list_genai(struct price_list_reader *r);

#endif
