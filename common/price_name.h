/*
 * What providers hang around the name of a model, taken off one piece at a time, so that
 * the price book need not list every snapshot and route. Used by price.c on names in
 * lower case; pure, no allocation.
 */
#ifndef BREAKEVEN_PRICE_NAME_H
#define BREAKEVEN_PRICE_NAME_H

#include "common/slice.h"

/*
 * One suffix less: version of a Bedrock id (":0", "-v1"), snapshot ("@20250219", a whole
 * date, "-001"), "-latest". Short dates (-0613, -2402) stay: those snapshots had prices
 * of their own. False: there is none.
 */
bool price_name_cut_suffix(struct slice *name);

/*
 * One prefix less: path or ARN up to the first slash, region ("us.": told in *region,
 * without the dot), vendor ("anthropic."). False: there is none.
 */
bool price_name_cut_prefix(struct slice *name, struct slice *region);

#endif
