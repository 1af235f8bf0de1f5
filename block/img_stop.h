/*
 * block/img_stop.h - long operations end in good order when a signal asks.
 */
#ifndef BLOCK_IMG_STOP_H
#define BLOCK_IMG_STOP_H

#include <stdatomic.h>

/* Set when SIGINT, SIGTERM or SIGHUP came. */
extern atomic_bool img_stop;

/* From now on those signals set the flag, unless they were ignored. */
void img_stop_catch(void);

/* Once all is tidied up: dies by the signal that came; returns if none did. */
void img_stop_finish(void);

#endif
