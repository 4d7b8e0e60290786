/* status_name: see status.h. */
#include "common/status.h"

const char *status_name(enum status st)
{
    switch (st) {
    case ST_OK:
        return "ok";
    case ST_MORE:
        return "more";
    case ST_END:
        return "end";
    case ST_NOMEM:
        return "out of memory";
    case ST_LIMIT:
        return "limit reached";
    case ST_BAD:
        return "malformed";
    case ST_NOT_FOUND:
        return "not found";
    case ST_EXISTS:
        return "exists";
    case ST_IO:
        return "i/o error";
    case ST_FULL:
        return "no space";
    case ST_BUSY:
        return "busy";
    case ST_DENIED:
        return "denied";
    case ST_CONFIG:
        return "configuration error";
    }
    return "unknown";
}
