/* block/img_progress.c - see img_progress.h. */
#include "block/img_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "block/img_command.h"

static void print(double percent)
{
	printf("    (%3.2f/100%%)\r", percent);
	fflush(stdout);
}

void img_progress_start(struct img_progress *progress,
			const struct img_args *args, uint64_t total)
{
	*progress = (struct img_progress){
		.on = !img_args_has(args, 'q') &&
		      (img_args_has(args, 'p') ||
		       (isatty(STDOUT_FILENO) && !img_is_qemu_img())),
		.total = total,
	};
	if (progress->on)
		print(0);
}

void img_progress_show(struct img_progress *progress, uint64_t done)
{
	double percent;

	if (!progress->on || !progress->total)
		return;
	percent = 100.0 * (double)done / (double)progress->total;
	if ((int)percent == progress->last_percent)
		return;
	progress->last_percent = (int)percent;
	print(percent);
}

void img_progress_stop(struct img_progress *progress)
{
	if (!progress->on)
		return;
	printf("\n");
	progress->on = false;
}
