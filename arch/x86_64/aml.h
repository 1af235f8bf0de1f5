/*
 * arch/x86_64/aml.h - writes ACPI Machine Language, as much as our DSDT needs.
 *
 * ACPI 6.4, chapter 20 (AML) and 6.4 (resource descriptors). Bytes go into a
 * buffer of the caller's; when it is full, `overflow` is set and nothing more
 * is written, so one check at the end is enough.
 */
#ifndef ARCH_X86_64_AML_H
#define ARCH_X86_64_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;
	size_t size;
	size_t used;
	bool overflow;
};

/*
 * Terms with a length: what is written between a _begin and aml_end() with its
 * result lies inside. Names have four characters, or a path such as "\\_SB".
 */
size_t aml_scope_begin(struct aml *aml, const char *path);
size_t aml_device_begin(struct aml *aml, const char *name);
size_t aml_method_begin(struct aml *aml, const char *name,
			unsigned int arguments);
/* A Name() of a buffer of resource descriptors; ended by aml_resources_end. */
size_t aml_resources_begin(struct aml *aml, const char *name);
void aml_end(struct aml *aml, size_t begin);
void aml_resources_end(struct aml *aml, size_t begin);

/* Name(@name, value) */
void aml_name_integer(struct aml *aml, const char *name, uint32_t value);
void aml_name_string(struct aml *aml, const char *name, const char *value);
/* An EISA id: three capital letters and four hex digits. */
void aml_name_eisa_id(struct aml *aml, const char *name, const char *id);
/* A package of small integers (below 256). */
void aml_name_package(struct aml *aml, const char *name, const uint8_t *values,
		      uint8_t count);

/* Notify(@path, @value), inside a method. */
void aml_notify(struct aml *aml, const char *path, uint8_t value);

/* Resource descriptors. The interrupt is edge-triggered and active high. */
void aml_resource_memory(struct aml *aml, uint32_t base, uint32_t size);
void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t size);
void aml_resource_interrupt(struct aml *aml, uint32_t gsi);

#endif
