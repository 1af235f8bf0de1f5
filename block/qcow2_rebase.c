/* block/qcow2_rebase.c - see qcow2_rebase.h. */
#include "block/qcow2_rebase.h"

#include <errno.h>

#include "block/qcow2.h"
#include "block/qcow2_header_change.h"

static int check_image(const struct qcow2_info *info, const char *image,
		       const char *backing, struct err *err)
{
	if (info->incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT))
		return err_set(err, EUCLEAN,
			       "%s has errors; \"alcor img check -r all\" may "
			       "repair it",
			       image);
	if (backing && info->incompatible & QCOW2_DATA_FILE &&
	    info->autoclear & QCOW2_DATA_FILE_RAW)
		return err_set(err, EINVAL,
			       "%s has a raw data file, which does not go "
			       "together with a backing file",
			       image);
	return 0;
}

int qcow2_rebase(struct file *file, const char *image, const char *backing,
		 const char *format, struct err *err)
{
	struct image_options options = {
		.name = image,
		.read_only = true,
		.for_check = true,
	};
	struct qcow2_header_change change = {
		.backing = backing,
		.format = format,
	};
	struct qcow2_info info;
	int ret;

	ret = qcow2_header_read(file, &options, &info, err);
	if (!ret)
		ret = check_image(&info, image, backing, err);
	if (ret)
		return ret;
	change.version = info.version;
	change.lazy_refcounts = info.compatible & QCOW2_LAZY_REFCOUNTS;
	return qcow2_header_change(file, image, info.cluster_bits, &change,
				   err);
}
