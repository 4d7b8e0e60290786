/*
 * From the messages of a WebSocket to judged calls (usage-formats 2.4, 4.1.5, 4.4): the
 * upgrade is no call, each message in which the server accounts for something is one.
 *
 *   OpenAI realtime   response.done; a finished transcription of what was heard is a call
 *                     of its own, by the session's transcription model
 *   OpenAI responses  response.completed, .incomplete, .failed, .cancelled
 *   Gemini Live       a turn: the last usageMetadata up to its end, or right behind it
 *
 * Works on the exchange that the upgrade began (extract_hold): what its request said
 * (provider, scope, ?model=) holds for the session. Fed by http_socket with messages in
 * pieces. Constant memory; at most SOCKET_OPEN responses are followed at a time, which is
 * more than any client has under way.
 *
 * Refuses: to guess numbers. A response that was seen to begin and of which no numbers
 * come, since bytes were lost or somebody left, is a call with quality missing.
 */
#ifndef BREAKEVEN_SOCKET_H
#define BREAKEVEN_SOCKET_H

#include "agent/extract.h"
#include "agent/stream.h"

enum { SOCKET_OPEN = 16 };

struct socket;

/* Is the exchange that `x` holds an upgrade to a WebSocket that we can read? */
bool socket_known(const struct extract *x);

/* Of the exchange that `x` holds, which it keeps busy until it is freed. `x` is borrowed.
 * NULL: out of memory. */
struct socket *socket_new(struct extract *x);
void socket_free(struct socket *s);

/* The next bytes of the message at hand in that direction. The session's exchange must be
 * held, here and below. */
void socket_data(struct socket *s, enum stream_dir d, int64_t ts_ns, struct slice piece);

/* That message is over; not intact: bytes of it are lost. `emit` hears of every call that
 * ends with it. */
void socket_end(struct socket *s, enum stream_dir d, int64_t ts_ns, bool intact,
                usage_fn *emit, void *arg);

/* Messages of that direction are lost. */
void socket_lost(struct socket *s, enum stream_dir d);

/* Nothing more comes: calls under way end as aborted, their numbers missing. */
void socket_close(struct socket *s, int64_t ts_ns, usage_fn *emit, void *arg);

#endif
