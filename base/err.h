/*
 * base/err.h - set-up errors: a negative errno and a sentence for people.
 *
 * Set-up functions return 0 or -errno and take a `struct err *` as their last
 * argument. Whoever finds the fault writes the sentence once; callers pass it
 * up, perhaps with err_prefix() to name the file or option; only main() prints
 * it. The request path carries a bare -errno and never uses this.
 *
 * A sentence says what could not be done, with which file or option, why, and
 * what would help. It starts in lower case and ends without a full stop.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 1024

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * Writes the sentence and returns -code, so that a failing function can end in
 * `return err_set(err, EINVAL, "...")`. @code is a positive errno. @err may be
 * NULL when nobody wants the words. Too long a text is cut.
 */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code,
						  const char *format, ...);

/* As err_set(), with ": " and strerror(code) behind the text. */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *err, int code,
						    const char *format, ...);

/* Puts a text in front of the sentence that is already there: "text: ...". */
__attribute__((format(printf, 2, 3))) void err_prefix(struct err *err,
						      const char *format, ...);

#endif
