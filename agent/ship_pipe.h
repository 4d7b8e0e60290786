/*
 * What ship_http and its helper program breakeven-ship say to each other: a first line,
 * lines "name value", a line "body <bytes>", an empty line, the body. Pure; both ends
 * read with the same few lines.
 *
 *   to the helper   url, token, ca_file, compression; body: the batch
 *   from the helper status, retry_after_ms, error; body: the collector's answer
 */
#ifndef BREAKEVEN_SHIP_PIPE_H
#define BREAKEVEN_SHIP_PIPE_H

#include "common/buf.h"

void ship_pipe_begin(struct buf *b);
/* An empty value is left out. False, nothing added: it holds a control byte. */
bool ship_pipe_field(struct buf *b, const char *name, struct slice value);
void ship_pipe_end(struct buf *b, size_t body_bytes); /* the body is to follow */

/* The fields and the body of a whole message; false when it is cut short or no message.
 */
typedef void ship_pipe_fn(void *arg, struct slice name, struct slice value);
bool ship_pipe_read(struct slice message, ship_pipe_fn *field, void *arg,
                    struct slice *body);

#endif
