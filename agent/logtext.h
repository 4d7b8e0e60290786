/*
 * Lines that are not JSON: text with JSON in it, logfmt, printed SDK objects
 * (usage-formats 8.1, 8.11). Turns what such a line says into one JSON text for extract;
 * keeps short values only, so that no prompt is copied.
 */
#ifndef BREAKEVEN_LOGTEXT_H
#define BREAKEVEN_LOGTEXT_H

#include "common/buf.h"

enum {
    LOGTEXT_PAIRS = 200, /* most key=value pairs of a line that are looked at */
    LOGTEXT_VALUE = 200  /* longest value that is kept */
};

/*
 * Does a line (not empty) begin as JSON: `{"a":…`, `[{…`? Not so `{PromptTokens:50}`,
 * `{"a" => 5}` and `[2026-11-02 10:00:00] …`, which are text.
 */
bool logtext_begins_json(struct slice line);

/*
 * Is it a line of JSON that was written over several lines, `"completion_tokens": 4,`?
 * What belongs together cannot be told, and a part of it would be a wrong number.
 */
bool logtext_fragment(struct slice line);

/*
 * The same for objects that languages print: is it one pair and nothing else,
 * `completion_tokens: 10,`, `'total_tokens': 18}`?
 */
bool logtext_lone(struct slice line);

/*
 * Without what an array that has an object a line puts around it: `[{…},`, `{…},`,
 * `{…}]`. Any other line as it is.
 */
struct slice logtext_element(struct slice line);

/* Does more stand behind the object that the line begins with? */
bool logtext_goes_on(struct slice line);

/* The inside of the string that begins with the quote s.p[0], up to its like. */
bool logtext_quoted(struct slice s, struct slice *inside);

/*
 * The line without the colours of a terminal (ESC [ … letter): itself if it has none,
 * else a copy in `out` (cleared).
 */
struct slice logtext_plain(struct slice line, struct buf *out);

/*
 * The next object at or after *at in a line like `… ask={…} reply={"id":…} …`, braces
 * matched, or unescaped from a quoted string into `out` (cleared). *at is left behind it.
 * False: there is none. *json borrows from line or out; *first is where it stands, or
 * where one begins that does not end.
 */
bool logtext_json(struct slice line, size_t *at, struct buf *out, struct slice *json,
                  size_t *first);

/*
 * The pairs of `model=x prompt_tokens=50`, `Usage(input_tokens=5)`, `{PromptTokens:50}`
 * and `{'prompt_tokens': 50}` as a flat JSON object in `out` (cleared). False: none.
 */
bool logtext_pairs(struct slice line, struct buf *out);

#endif
