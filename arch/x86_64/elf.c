/*
 * arch/x86_64/elf.c - ELF kernels by their PVH note.
 *
 * A note of owner "Xen" and type 18 (XEN_ELFNOTE_PHYS32_ENTRY) names a 32-bit
 * entry point; ebx then points to a struct hvm_start_info (Xen's public
 * header xen/include/public/arch-x86/hvm/start_info.h, docs/misc/pvh.pandoc).
 * Linux's vmlinux has the note since 5.0, FreeBSD's kernel since 12.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "base/endian.h"

#define NOTE_PHYS32_ENTRY 18
#define NOTE_OWNER	  "Xen"
#define START_INFO_MAGIC  0x336ec578

/* hvm_start_info version 1 */
struct pvh_start_info {
	le32 magic;
	le32 version;
	le32 flags;
	le32 module_count;
	le64 modules;
	le64 cmdline;
	le64 rsdp;
	le64 memory_map;
	le32 memory_map_count;
	le32 reserved;
};

struct pvh_module {
	le64 base;
	le64 size;
	le64 cmdline;
	le64 reserved;
};

struct pvh_memory_range {
	le64 base;
	le64 size;
	le32 type;
	le32 reserved;
};

/* All that start_info points to, in one page at LAYOUT_START_INFO. */
struct pvh_page {
	struct pvh_start_info info;
	struct pvh_module initrd;
	struct pvh_memory_range ranges[BOOT_RANGES_MAX];
};

bool elf_detect(const struct fd_map *kernel)
{
	return kernel->size >= sizeof(Elf64_Ehdr) &&
	       !memcmp(kernel->data, ELFMAG, SELFMAG);
}

static int read_elf_header(const struct fd_map *kernel, Elf64_Ehdr *header,
			   struct err *err)
{
	memcpy(header, kernel->data, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return err_set(
			err, ENOEXEC,
			"%s is an ELF file for another architecture than "
			"x86_64",
			kernel->path);
	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    !range_fits(header->e_phoff,
			(uint64_t)header->e_phnum * sizeof(Elf64_Phdr),
			kernel->size))
		return err_set(err, ENOEXEC,
			       "%s has program headers outside the file",
			       kernel->path);
	return 0;
}

static Elf64_Phdr read_segment(const struct fd_map *kernel,
			       const Elf64_Ehdr *header, unsigned int index)
{
	Elf64_Phdr segment;

	memcpy(&segment,
	       kernel->data + header->e_phoff + index * sizeof(segment),
	       sizeof(segment));
	return segment;
}

/* The entry of the PVH note in a PT_NOTE segment, if it is there. */
static bool find_note(const struct fd_map *kernel, const Elf64_Phdr *segment,
		      uint64_t *ret_entry)
{
	uint64_t at = segment->p_offset, end = at + segment->p_filesz;
	uint64_t name, value;
	Elf64_Nhdr note;

	while (range_fits(at, sizeof(note), end)) {
		memcpy(&note, kernel->data + at, sizeof(note));
		name = at + sizeof(note);
		value = name + align_up(note.n_namesz, 4);
		if (!range_fits(value, note.n_descsz, end))
			return false;
		if (note.n_type == NOTE_PHYS32_ENTRY &&
		    note.n_namesz == sizeof(NOTE_OWNER) &&
		    !memcmp(kernel->data + name, NOTE_OWNER,
			    sizeof(NOTE_OWNER)) &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			*ret_entry = 0;
			memcpy(ret_entry, kernel->data + value, note.n_descsz);
			return true;
		}
		at = value + align_up(note.n_descsz, 4);
	}
	return false;
}

/* Copies one PT_LOAD segment to its physical address. */
static int load_segment(const struct arch_board *board,
			const Elf64_Phdr *segment, gpa_t *end, struct err *err)
{
	const struct fd_map *kernel = board->kernel;
	uint8_t *to;

	if (!segment->p_memsz)
		return 0;
	if (segment->p_filesz > segment->p_memsz)
		return err_set(err, ENOEXEC, "%s has a malformed segment",
			       kernel->path);
	to = guest_range(board->memory, segment->p_paddr, segment->p_memsz);
	if (!to || segment->p_paddr < LAYOUT_KERNEL ||
	    segment->p_paddr >= LAYOUT_HOLE)
		return err_set(err, ENOSPC,
			       "kernel %s needs %llu KiB of memory at %#llx; "
			       "more --memory may help",
			       kernel->path,
			       (unsigned long long)segment->p_memsz / 1024,
			       (unsigned long long)segment->p_paddr);
	memcpy(to, kernel->data + segment->p_offset, segment->p_filesz);
	memset(to + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
	*end = max_u64(*end, segment->p_paddr + segment->p_memsz);
	return 0;
}

static bool is_loaded(const Elf64_Phdr *segment, uint64_t address)
{
	return segment->p_type == PT_LOAD && address >= segment->p_paddr &&
	       address - segment->p_paddr < segment->p_memsz;
}

/* An entry elsewhere would only be a triple fault later. */
static int check_entry(const struct fd_map *kernel, uint64_t entry,
		       struct err *err)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	memcpy(&header, kernel->data, sizeof(header));
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		segment = read_segment(kernel, &header, i);
		if (is_loaded(&segment, entry))
			return 0;
	}
	return err_set(err, ENOEXEC,
		       "%s has a PVH entry at %#llx, outside its segments",
		       kernel->path, (unsigned long long)entry);
}

/* Loads all segments; finds the entry and where the kernel ends. */
static int load_segments(const struct arch_board *board, uint64_t *ret_entry,
			 gpa_t *ret_end, struct err *err)
{
	const struct fd_map *kernel = board->kernel;
	bool found = false;
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int ret;

	*ret_end = LAYOUT_KERNEL;
	ret = read_elf_header(kernel, &header, err);
	for (unsigned int i = 0; !ret && i < header.e_phnum; i++) {
		segment = read_segment(kernel, &header, i);
		if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE)
			continue;
		if (!range_fits(segment.p_offset, segment.p_filesz,
				kernel->size))
			return err_set(err, ENOEXEC,
				       "%s is cut short: a segment lies beyond "
				       "its end",
				       kernel->path);
		if (segment.p_type == PT_LOAD)
			ret = load_segment(board, &segment, ret_end, err);
		else if (!found)
			found = find_note(kernel, &segment, ret_entry);
	}
	if (!ret && (!found || *ret_entry > UINT32_MAX))
		return err_set(
			err, ENOEXEC,
			"%s has no PVH entry note; use its bzImage, or a "
			"kernel built with CONFIG_PVH",
			kernel->path);
	return ret ? ret : check_entry(kernel, *ret_entry, err);
}

static void write_start_info(const struct arch_board *board, gpa_t rsdp,
			     const struct boot_span *initrd)
{
	struct boot_range ranges[BOOT_RANGES_MAX];
	unsigned int count = boot_memory_map(board->memory, ranges);
	struct pvh_page page = {
		.info.magic = le32_make(START_INFO_MAGIC),
		.info.version = le32_make(1),
		.info.cmdline = le64_make(LAYOUT_CMDLINE),
		.info.rsdp = le64_make(rsdp),
		.info.memory_map = le64_make(LAYOUT_START_INFO +
					     offsetof(struct pvh_page, ranges)),
		.info.memory_map_count = le32_make(count),
	};

	for (unsigned int i = 0; i < count; i++)
		page.ranges[i] = (struct pvh_memory_range){
			.base = le64_make(ranges[i].base),
			.size = le64_make(ranges[i].size),
			.type = le32_make(ranges[i].type),
		};
	if (initrd->size) {
		page.info.module_count = le32_make(1);
		page.info.modules = le64_make(
			LAYOUT_START_INFO + offsetof(struct pvh_page, initrd));
		page.initrd.base = le64_make(initrd->base);
		page.initrd.size = le64_make(initrd->size);
	}
	guest_write(board->memory, LAYOUT_START_INFO, &page, sizeof(page));
}

int elf_load(const struct arch_board *board, gpa_t rsdp,
	     struct arch_entry *ret_entry, struct err *err)
{
	struct boot_span initrd;
	uint64_t entry;
	gpa_t end;
	int ret;

	ret = load_segments(board, &entry, &end, err);
	if (!ret)
		ret = boot_load_initrd(board, end, LAYOUT_HOLE, &initrd, err);
	if (!ret)
		ret = boot_write_cmdline(board, LAYOUT_CMDLINE_MAX, err);
	if (ret)
		return ret;
	write_start_info(board, rsdp, &initrd);
	*ret_entry = (struct arch_entry){
		.pc = entry,
		.argument = LAYOUT_START_INFO,
		.protected_mode = true,
	};
	return 0;
}
