/*
 * One HTTP request from head to answer, as libmicrohttpd calls it: the inside of server.
 * Head -> framing, route, token; body -> ingest or a small buffer; end -> writer or api.
 */
#ifndef BREAKEVEN_EXCHANGE_H
#define BREAKEVEN_EXCHANGE_H

#include "collector/reaper.h"
#include "collector/server.h"

#include <microhttpd.h>
#include <stdatomic.h>

struct server {
    const struct collector *c;
    struct auth *auth;
    struct MHD_Daemon *daemon;
    struct reaper *reaper;
    bool loopback;      /* listens where only this machine reaches */
    atomic_uint active; /* exchanges at hand */
    char *cert, *key;
};

/* MHD_AccessHandlerCallback and MHD_RequestCompletedCallback; cls is the server. */
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection,
                              const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state);
void exchange_done(void *cls, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why);

#endif
