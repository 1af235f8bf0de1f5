/*
 * base/log.h - messages to the person at the terminal, on standard error.
 *
 * One line each: "alcor: text". Set-up errors are not logged but returned
 * (err.h). What a guest can trigger goes through log_once(), so that a hostile
 * guest cannot fill a log. Any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...);

/* Says it the first time that @said (zeroed by its owner) passes through. */
__attribute__((format(printf, 2, 3))) void log_once(atomic_bool *said,
						    const char *format, ...);

#endif
