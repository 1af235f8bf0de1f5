/*
 * arch/x86_64/bzimage.c - Linux's own boot protocol, by the 64-bit entry.
 *
 * Documentation/x86/boot.rst of Linux: the setup header is copied into the
 * zero page, the protected-mode part goes to the kernel's preferred address
 * with init_size bytes free there, and the CPU starts at load + 0x200 in long
 * mode with rsi at the zero page.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"

#define SETUP_MAGIC	    0x53726448 /* "HdrS" */
#define SETUP_OFFSET	    offsetof(struct boot_params, hdr)
#define BOOT_FLAG	    0xaa55
#define VERSION_64BIT_ENTRY 0x020c
#define LOADER_UNDEFINED    0xff
#define ENTRY_64BIT	    0x200
#define SECTOR		    512

bool bzimage_detect(const struct fd_map *kernel)
{
	struct setup_header header;

	if (kernel->size < SETUP_OFFSET + sizeof(header))
		return false;
	memcpy(&header, kernel->data + SETUP_OFFSET, sizeof(header));
	return header.boot_flag == BOOT_FLAG && header.header == SETUP_MAGIC;
}

/* Takes the setup header out of the file and judges it. */
static int read_header(const struct fd_map *kernel, struct setup_header *header,
		       struct err *err)
{
	size_t end;

	memcpy(header, kernel->data + SETUP_OFFSET, sizeof(*header));
	/* The byte at 0x201 says how long the header really is. */
	end = 0x202 + kernel->data[0x201] - SETUP_OFFSET;
	if (end < sizeof(*header))
		memset((uint8_t *)header + end, 0, sizeof(*header) - end);
	if (header->version < VERSION_64BIT_ENTRY ||
	    !(header->xloadflags & XLF_KERNEL_64))
		return err_set(err, ENOEXEC,
			       "%s has no 64-bit entry point (a 32-bit kernel, "
			       "or one older than Linux 3.8)",
			       kernel->path);
	if (!header->setup_sects)
		header->setup_sects = 4;
	return 0;
}

/* Copies the protected-mode kernel; *ret_span is what it will occupy. */
static int load_code(const struct arch_board *board,
		     const struct setup_header *header,
		     struct boot_span *ret_span, struct err *err)
{
	const struct fd_map *kernel = board->kernel;
	uint64_t skip = (header->setup_sects + 1ULL) * SECTOR;
	uint64_t size;

	if (kernel->size <= skip + ENTRY_64BIT)
		return err_set(err, ENOEXEC,
			       "%s is cut short: its setup alone is %llu bytes",
			       kernel->path, (unsigned long long)skip);
	size = kernel->size - skip;
	ret_span->base = header->relocatable_kernel ? header->pref_address
						    : LAYOUT_KERNEL;
	ret_span->size = max_u64(header->init_size, size);
	if (ret_span->base < LAYOUT_KERNEL ||
	    !range_fits(ret_span->base, ret_span->size, LAYOUT_HOLE) ||
	    !guest_range(board->memory, ret_span->base, ret_span->size))
		return err_set(
			err, ENOSPC,
			"kernel %s needs the memory from %llu to %llu MiB; "
			"more --memory helps",
			kernel->path, (unsigned long long)ret_span->base / MIB,
			(unsigned long long)div_round_up(ret_span->base +
								 ret_span->size,
							 MIB));
	return guest_write(board->memory, ret_span->base, kernel->data + skip,
			   size);
}

static void fill_memory_map(const struct guest_memory *memory,
			    struct boot_params *params)
{
	struct boot_range ranges[BOOT_RANGES_MAX];
	unsigned int count = boot_memory_map(memory, ranges);

	for (unsigned int i = 0; i < count; i++)
		params->e820_table[i] =
			(struct boot_e820_entry){ranges[i].base, ranges[i].size,
						 ranges[i].type};
	params->e820_entries = (uint8_t)count;
}

int bzimage_load(const struct arch_board *board, gpa_t rsdp,
		 struct arch_entry *ret_entry, struct err *err)
{
	struct boot_params params = {0};
	struct setup_header *header = &params.hdr;
	struct boot_span code = {0}, initrd = {0};
	int ret;

	ret = read_header(board->kernel, header, err);
	if (!ret)
		ret = load_code(board, header, &code, err);
	if (!ret)
		ret = boot_load_initrd(board, code.base + code.size,
				       header->initrd_addr_max + 1ULL, &initrd,
				       err);
	if (!ret)
		ret = boot_write_cmdline(board, header->cmdline_size + 1ULL,
					 err);
	if (ret)
		return ret;

	header->type_of_loader = LOADER_UNDEFINED;
	header->cmd_line_ptr = LAYOUT_CMDLINE;
	header->ramdisk_image = (uint32_t)initrd.base;
	header->ramdisk_size = (uint32_t)initrd.size;
	params.acpi_rsdp_addr = rsdp;
	fill_memory_map(board->memory, &params);
	guest_write(board->memory, LAYOUT_ZERO_PAGE, &params, sizeof(params));
	*ret_entry = (struct arch_entry){
		.pc = code.base + ENTRY_64BIT,
		.argument = LAYOUT_ZERO_PAGE,
	};
	return 0;
}
