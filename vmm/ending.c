/* vmm/ending.c - see ending.h. */
#include "vmm/ending.h"

#include <assert.h>

#include "base/fd.h"
#include "vmm/status.h"

int ending_init(struct ending *ending, struct err *err)
{
	int fd = fd_event_new();

	if (fd < 0)
		return err_errno(err, -fd, "cannot make an eventfd");
	*ending = (struct ending){.event_fd = fd};
	pthread_mutex_init(&ending->lock, NULL);
	return 0;
}

void ending_fini(struct ending *ending)
{
	fd_close(&ending->event_fd);
	pthread_mutex_destroy(&ending->lock);
}

void ending_decide(struct ending *ending, enum ending_kind kind, uint32_t value)
{
	bool first;

	pthread_mutex_lock(&ending->lock);
	first = !atomic_load(&ending->decided);
	if (first) {
		ending->kind = kind;
		ending->value = value;
		atomic_store(&ending->decided, true);
	}
	pthread_mutex_unlock(&ending->lock);
	if (first)
		fd_event_raise(ending->event_fd);
}

bool ending_is_decided(const struct ending *ending)
{
	return atomic_load(&ending->decided);
}

int ending_status(const struct ending *ending)
{
	assert(ending_is_decided(ending));
	switch (ending->kind) {
	case ENDING_POWER_OFF:
	case ENDING_QUIT:
		return STATUS_OK;
	case ENDING_RESET:
		return STATUS_RESET;
	case ENDING_PANICKED:
		return STATUS_PANICKED;
	case ENDING_DEBUG_EXIT:
		return (int)((ending->value << 1 | 1) & 0xff);
	case ENDING_CRASHED:
		return STATUS_CRASHED;
	case ENDING_HOST_FAILED:
		return STATUS_HOST_FAILED;
	case ENDING_TIMEOUT:
		return STATUS_TIMEOUT;
	case ENDING_SIGNAL:
		return STATUS_SIGNAL + (int)ending->value;
	}
	assert(!"an ending of no kind");
	return STATUS_HOST_FAILED;
}
