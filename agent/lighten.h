/*
 * Give memory back that an idle agent does not need: free heap, and the pages of program
 * and library code that only the start used. They stay in the page cache, and what is
 * needed again is mapped again at a microsecond a page. What dead calls have left on the
 * stack goes, too: it may have been somebody's text (see also wipe.c). Called by pipeline
 * now and then.
 */
#ifndef BREAKEVEN_LIGHTEN_H
#define BREAKEVEN_LIGHTEN_H

void lighten(void);

#endif
