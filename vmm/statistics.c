/* vmm/statistics.c - see statistics.h. alcor(1) tells what each key means. */
#include "vmm/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

int statistics_open(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd < 0)
		return err_errno(err, errno, "cannot write --stats to %s",
				 path);
	return fd;
}

static void print_vcpu(struct json *json, const struct vcpu_statistics *vcpu)
{
	json_object(json, NULL);
	json_number(json, "cpu-ns", vcpu->cpu_nsec);
	json_object(json, "exits");
	json_number(json, "io", vcpu->io);
	json_number(json, "mmio", vcpu->mmio);
	json_number(json, "interrupted", vcpu->interrupted);
	json_number(json, "other", vcpu->other);
	json_object_end(json);
	json_object_end(json);
}

static void print_requests(struct json *json,
			   const struct virtio_blk_statistics *disk)
{
	json_object(json, "requests");
	json_number(json, "read", disk->reads);
	json_number(json, "write", disk->writes);
	json_number(json, "flush", disk->flushes);
	json_number(json, "discard", disk->discards);
	json_number(json, "write-zeroes", disk->write_zeroes);
	json_number(json, "other", disk->others);
	json_number(json, "failed", disk->failed);
	json_number(json, "most-at-a-time", disk->most_at_a_time);
	json_object_end(json);
	json_object(json, "bytes");
	json_number(json, "read", disk->bytes_read);
	json_number(json, "written", disk->bytes_written);
	json_object_end(json);
}

static void print_threads(struct json *json,
			  const struct virtio_blk_statistics *disk)
{
	json_object(json, "threads");
	json_number(json, "cpu-ns", disk->cpu_nsec);
	json_number(json, "kicks", disk->queue.kicks);
	json_number(json, "interrupts", disk->interrupts);
	json_number(json, "sleeps", disk->sleeps);
	json_number(json, "spins", disk->spins);
	json_number(json, "spins-won", disk->spins_won);
	json_object_end(json);
	json_object(json, "parts");
	json_number(json, "at-once", disk->queue.at_once);
	json_number(json, "by-engine", disk->queue.by_engine);
	json_number(json, "by-workers", disk->queue.by_workers);
	json_object_end(json);
}

static void print_tables(struct json *json,
			 const struct block_statistics *tables)
{
	json_object(json, "tables");
	json_number(json, "lookups", tables->lookups);
	json_number(json, "misses", tables->misses);
	json_number(json, "evictions", tables->evictions);
	json_object_end(json);
}

static void print_disk(struct json *json, const char *path,
		       const struct virtio_blk_statistics *disk,
		       const struct block_statistics *tables)
{
	json_object(json, NULL);
	json_text(json, "filename", path);
	if (disk->engine)
		json_text(json, "engine", disk->engine);
	json_number(json, "queues", disk->queue_count);
	print_requests(json, disk);
	print_threads(json, disk);
	print_tables(json, tables);
	json_object_end(json);
}

void statistics_print(const struct statistics *statistics,
		      const struct run_options *options, FILE *out)
{
	struct json json = {.out = out};

	json_object(&json, NULL);
	json_number(&json, "lives", statistics->lives);
	json_number(&json, "wall-ns", statistics->wall_nsec);
	json_number(&json, "cpu-ns", statistics->cpu_nsec);
	json_array(&json, "vcpus");
	for (unsigned int i = 0; i < options->cpus; i++)
		print_vcpu(&json, &statistics->vcpus[i]);
	json_array_end(&json);
	json_array(&json, "disks");
	for (unsigned int i = 0; i < options->disk_count; i++)
		print_disk(&json, options->disks[i].block.path,
			   &statistics->disks[i], &statistics->tables[i]);
	json_array_end(&json);
	json_object_end(&json);
}

/* Only a regular file has something to be taken the place of. */
static int make_empty(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && ftruncate(fd, 0) < 0 ? -errno : 0;
}

int statistics_save(const struct statistics *statistics,
		    const struct run_options *options, int fd)
{
	int ret = make_empty(fd);
	FILE *out = ret ? NULL : fdopen(fd, "w");

	if (!out) {
		ret = ret ? ret : -errno;
		close(fd);
		return ret;
	}
	statistics_print(statistics, options, out);
	if (fflush(out) || ferror(out))
		ret = -errno;
	if (fclose(out) && !ret)
		ret = -errno;
	return ret;
}
