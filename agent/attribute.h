/*
 * Whose call is it: the rows of `capture.apps` against what is known of a request. Pure.
 * Asked by source_live when a request begins; its answer travels in http_notes.
 */
#ifndef BREAKEVEN_ATTRIBUTE_H
#define BREAKEVEN_ATTRIBUTE_H

#include "agent/config_capture.h"
#include "agent/http_notes.h"

/* The local process of the connection's client; asked for only when a row wants it. */
struct attribute_process {
    bool known;
    uint32_t owner;    /* user id */
    struct slice name; /* empty: the agent may not see it */
};
typedef struct attribute_process attribute_process_fn(void *arg);

struct attribute_facts {
    uint16_t port; /* of the server */
    struct slice target;
    const struct extract_header *field;
    size_t fields;
    attribute_process_fn *process;
    void *arg;
};

/* Set rule and label of *notes by the first row that fits; rule 0: none does. */
void attribute(const struct config_capture *c, const struct attribute_facts *f,
               struct http_notes *notes);

/* Application and environment that the notes say; slices borrow from both. */
void attribute_names(const struct config_capture *c, const struct http_notes *notes,
                     struct slice *app, struct slice *environment);

#endif
