/*
 * The captures that `scan` meets: file -> packets -> connections -> TLS -> HTTP -> judged
 * calls. Wires source_capture, conn and http; holds what they counted and the secrets of
 * the key logs. Fed by scan.
 */
#ifndef BREAKEVEN_SCAN_CAPTURE_H
#define BREAKEVEN_SCAN_CAPTURE_H

#include "agent/http.h"
#include "agent/source_capture.h"

struct scan_capture;

/* `x` is borrowed; `emit` gets every judged call. NULL: out of memory. */
struct scan_capture *scan_capture_new(struct extract *x, http_call_fn *emit, void *arg);
void scan_capture_free(struct scan_capture *c);

/*
 * Learn the secrets of a key log file (keylog.h); before the captures it is for. Not
 * ST_OK: it could not be read, or no line of it is of use; *why says so.
 */
enum status scan_capture_keylog(struct scan_capture *c, const char *path,
                                struct buf *why);

/* capture_read of one file. */
enum status scan_capture_read(struct scan_capture *c, struct slice first,
                              struct unpack *u, struct buf *why);

/*
 * A capture that is being read has come to the end of what stands there: key logs that
 * grew are read again, and what waited for their secrets goes on.
 */
void scan_capture_wait(struct scan_capture *c, const char *const *keylogs, size_t n);

/* Did the file just read end inside a packet? */
bool scan_capture_torn(const struct scan_capture *c);

/* Lines of the report below the table; nothing when no capture was read. */
void scan_capture_notes(const struct scan_capture *c, struct buf *out);
/* The same as one JSON object. */
void scan_capture_json(const struct scan_capture *c, struct buf *out);

#endif
