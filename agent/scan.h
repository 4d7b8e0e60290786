/*
 * `breakeven-agent scan`: log files in, a table of calls, tokens and cost out. Needs no
 * collector and keeps nothing. Shell of the pure parts: unpack, lines, logline, dedup,
 * tally, scan_out.
 */
#ifndef BREAKEVEN_SCAN_H
#define BREAKEVEN_SCAN_H

/*
 * argv[0] is "scan". Exit code: 0 done, 1 a file could not be read or stdout not written,
 * 2 wrong usage.
 */
int scan_main(int argc, char **argv);

#endif
