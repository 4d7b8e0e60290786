/*
 * Names of header fields, by what a table of header compression has to keep of them.
 * Pure. Used by hpack.
 *
 * Fields that nobody here reads are listed, not those that somebody does: a field that is
 * missing in the list costs memory, and nothing else.
 */
#ifndef BREAKEVEN_HPACK_NAMES_H
#define BREAKEVEN_HPACK_NAMES_H

#include "common/slice.h"

/* By its name, in lower case: authorization, cookie, x-api-key, x-amz-security-token … */
bool hpack_is_credential(struct slice name);

/* 1 + the place in the list of those whose values nobody reads; 0: it is not there. */
unsigned hpack_unread(struct slice name);
struct slice hpack_unread_name(unsigned place);

#endif
