/*
 * What `check` says of the capture section: would it open, as whom, with which filter,
 * and which key logs could be read. Opens no capture. Shell; used by command_check.
 */
#ifndef BREAKEVEN_COMMAND_CAPTURE_H
#define BREAKEVEN_COMMAND_CAPTURE_H

#include "agent/config.h"
#include "common/json.h"

/*
 * As lines on standard output, or (o not NULL) as one JSON object. *wrong is left
 * empty, or says what is wrong wherever and by whomever `run` is started.
 */
void command_capture(const struct config *c, struct json_out *o, struct buf *wrong);

#endif
