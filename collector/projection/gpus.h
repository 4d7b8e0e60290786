/* config/gpus.yaml, embedded (gpus.S). */
#ifndef BREAKEVEN_PROJECTION_GPUS_H
#define BREAKEVEN_PROJECTION_GPUS_H

#include <stddef.h>

extern const char gpus_yaml[];
extern const size_t gpus_yaml_size;

#endif
