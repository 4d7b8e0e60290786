/*
 * Every scalar of a whole JSON text with its path, in one pass: for log formats whose
 * fields stand at fixed places. Fed by logfields; refuses trees. Values of keys that hold
 * prompts, answers or raw bodies are passed over unread.
 */
#ifndef BREAKEVEN_JSONWALK_H
#define BREAKEVEN_JSONWALK_H

#include "common/json.h"

enum { JSONWALK_PATH = 256 /* longest path; what lies deeper is passed over */ };

/*
 * A scalar (STRING, NUMBER, TRUE, FALSE; never NULL) at `path`, or the end of an object
 * (OBJECT_END) that stands there: "/a/b", "/list/-/x" for any element. Slices live in
 * the call.
 */
typedef void jsonwalk_fn(void *arg, struct slice path, enum json_type type,
                         struct slice text);

/* False when the text is not JSON; what came before has been handed out. */
bool jsonwalk(struct slice json, jsonwalk_fn *fn, void *arg);

#endif
