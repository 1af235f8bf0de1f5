/* block/img_runtime.c - see img_runtime.h. */
#include "block/img_runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/math.h"
#include "block/img_size.h"

#define L2_ENTRY_SIZE_MIN     512
#define L2_ENTRY_SIZE_DEFAULT (4 * KIB)
#define CLUSTER_SIZE_MIN      512

struct taker {
	struct img_spec *spec;
	const char *prefix;
	struct err *err;
};

static int take_switches(struct taker *taker)
{
	static const char *const keys[] = {
		"lazy-refcounts",
		"pass-discard-request",
		"pass-discard-snapshot",
		"pass-discard-other",
		"overlap-check.main-header",
		"overlap-check.active-l1",
		"overlap-check.active-l2",
		"overlap-check.refcount-table",
		"overlap-check.refcount-block",
		"overlap-check.snapshot-table",
		"overlap-check.inactive-l1",
		"overlap-check.inactive-l2",
		"overlap-check.bitmap-directory",
	};
	const char *value;

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		value = img_spec_take(taker->spec, taker->prefix, keys[i]);
		if (value && strcmp(value, "on") && strcmp(value, "off"))
			return err_set(taker->err, EINVAL,
				       "Parameter '%s' expects 'on' or 'off'",
				       keys[i]);
	}
	return 0;
}

static int take_overlap_check(struct taker *taker)
{
	static const char *const words[] = {"none", "constant", "cached",
					    "all"};
	const char *plain = img_spec_take(taker->spec, taker->prefix,
					  "overlap-check");
	const char *template = img_spec_take(taker->spec, taker->prefix,
					     "overlap-check.template");
	const char *value = plain ? plain : template;

	if (plain && template && strcmp(plain, template))
		return err_set(taker->err, EINVAL,
			       "Conflicting values for qcow2 options "
			       "'overlap-check' ('%s') and "
			       "'overlap-check.template' ('%s')",
			       plain, template);
	for (size_t i = 0; value && i < ARRAY_LENGTH(words); i++)
		if (!strcmp(value, words[i]))
			return 0;
	if (!value)
		return 0;
	return err_set(taker->err, EINVAL,
		       "Unsupported value '%s' for qcow2 option "
		       "'overlap-check'. Allowed are any of the following: "
		       "none, constant, cached, all",
		       value);
}

static int take_size(struct taker *taker, const char *key, bool *ret_given,
		     uint64_t *ret_size)
{
	const char *value = img_spec_take(taker->spec, taker->prefix, key);

	*ret_given = value;
	*ret_size = 0;
	if (!value || img_size_parse(value, ret_size))
		return 0;
	return err_set(taker->err, EINVAL, "Parameter '%s' expects a size",
		       key);
}

static int take_caches(struct taker *taker, struct img_runtime *runtime)
{
	uint64_t both, l2, refcount, entry;
	bool has_both, has_l2, has_refcount, has_entry;
	struct err *err = taker->err;
	int ret = take_size(taker, "cache-size", &has_both, &both);

	if (!ret)
		ret = take_size(taker, "l2-cache-size", &has_l2, &l2);
	if (!ret)
		ret = take_size(taker, "refcount-cache-size", &has_refcount,
				&refcount);
	if (!ret)
		ret = take_size(taker, "l2-cache-entry-size", &has_entry,
				&entry);
	if (ret)
		return ret;
	if (has_both && has_l2 && has_refcount)
		return err_set(err, EINVAL,
			       "cache-size, l2-cache-size and "
			       "refcount-cache-size may not be set at the same "
			       "time");
	if (has_both && l2 > both)
		return err_set(err, EINVAL,
			       "l2-cache-size may not exceed cache-size");
	if (has_both && refcount > both)
		return err_set(err, EINVAL,
			       "refcount-cache-size may not exceed cache-size");
	runtime->l2_entry_size = entry;
	if (has_both)
		runtime->l2_cache_size = max_u64(both - refcount, 1);
	if (has_l2)
		runtime->l2_cache_size = max_u64(l2, 1);
	if (runtime->l2_cache_size / (entry ? entry : L2_ENTRY_SIZE_DEFAULT) >
	    INT_MAX)
		return err_set(err, EINVAL, "L2 cache size too big");
	if (refcount / CLUSTER_SIZE_MIN > INT_MAX)
		return err_set(err, EINVAL, "Refcount cache size too big");
	return 0;
}

static int take_interval(struct taker *taker)
{
	const char *value = img_spec_take(taker->spec, taker->prefix,
					  "cache-clean-interval");
	uint64_t seconds;

	/* A negative number counts as a large one. */
	if (!value || (img_size_parse(value, &seconds) && seconds <= UINT_MAX))
		return 0;
	return err_set(taker->err, EINVAL, "Cache clean interval too big");
}

int img_runtime_take(struct img_runtime *runtime, struct img_spec *spec,
		     const char *prefix, struct err *err)
{
	struct taker taker = {spec, prefix, err};
	int ret = take_switches(&taker);

	*runtime = (struct img_runtime){0};
	if (!ret)
		ret = take_caches(&taker, runtime);
	if (!ret)
		ret = take_overlap_check(&taker);
	if (!ret)
		ret = take_interval(&taker);
	return ret;
}

int img_runtime_check(const struct img_runtime *runtime, uint64_t cluster_size,
		      struct err *err)
{
	uint64_t entry = runtime->l2_entry_size;

	if (!entry || (entry >= L2_ENTRY_SIZE_MIN && entry <= cluster_size &&
		       !(entry & (entry - 1))))
		return 0;
	return err_set(err, EINVAL,
		       "L2 cache entry size must be a power of two between %d "
		       "and the cluster size (%" PRIu64 ")",
		       L2_ENTRY_SIZE_MIN, cluster_size);
}
