/*
 * The device tree's structure block, read in one pass.
 */
#include "runtime/aarch64/fdt.h"
#include "runtime/string.h"

#define FDT_BEGIN_NODE 1
#define FDT_END_NODE   2
#define FDT_PROP       3
#define FDT_END	       9

#define DEPTH_MAX 16

/* Words of the header. */
#define HEADER_STRUCT  2
#define HEADER_STRINGS 3

static uint32_t be32(const void *at)
{
	return __builtin_bswap32(*(const uint32_t *)at);
}

static uint32_t words(uint32_t bytes)
{
	return (bytes + 3) / 4;
}

/* The node that is open at each depth, and what its children's reg has. */
struct level {
	struct fdt_node node;
	unsigned int address_cells, size_cells;
	bool visited;
};

static void keep_property(struct level *level, const char *name,
			  struct fdt_property property)
{
	const struct {
		const char *name;
		struct fdt_property *to;
	} kept[] = {
		{"compatible", &level->node.compatible},
		{"reg", &level->node.reg},
		{"interrupts", &level->node.interrupts},
		{"device_type", &level->node.device_type},
		{"method", &level->node.method},
		{"bootargs", &level->node.bootargs},
		{"reg-shift", &level->node.reg_shift},
		{"status", &level->node.status},
	};

	for (unsigned int i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (text_equal(name, kept[i].name))
			*kept[i].to = property;
	if (text_equal(name, "#address-cells"))
		level->address_cells = fdt_cell(&property, 0);
	if (text_equal(name, "#size-cells"))
		level->size_cells = fdt_cell(&property, 0);
}

static void visit_once(struct level *level,
		       void (*visit)(const struct fdt_node *node))
{
	if (!level->visited)
		visit(&level->node);
	level->visited = true;
}

static void open_level(struct level *level, const struct level *parent,
		       const char *name)
{
	*level = (struct level){
		.node = {.name = name,
			 .address_cells = parent->address_cells,
			 .size_cells = parent->size_cells},
		.address_cells = 2,
		.size_cells = 1,
	};
}

void fdt_walk(const void *fdt, void (*visit)(const struct fdt_node *node))
{
	const uint32_t *header = fdt;
	const uint32_t *at =
		(const void *)((uintptr_t)fdt + be32(&header[HEADER_STRUCT]));
	const char *strings = (const char *)fdt + be32(&header[HEADER_STRINGS]);
	static struct level levels[DEPTH_MAX];
	unsigned int depth = 0;
	uint32_t token;

	while ((token = be32(at++)) != FDT_END) {
		if (token == FDT_BEGIN_NODE) {
			visit_once(&levels[depth], visit);
			open_level(&levels[depth + 1], &levels[depth],
				   (const char *)at);
			depth++;
			at += words((uint32_t)text_length((const char *)at) +
				    1);
		} else if (token == FDT_PROP) {
			struct fdt_property property = {at + 2, be32(at)};

			keep_property(&levels[depth], strings + be32(at + 1),
				      property);
			at += 2 + words(property.length);
		} else if (token == FDT_END_NODE) {
			visit_once(&levels[depth], visit);
			depth--;
		}
	}
}

bool fdt_compatible(const struct fdt_node *node, const char *with)
{
	const char *at = node->compatible.data;
	const char *end = at + node->compatible.length;

	for (; at && at < end; at += text_length(at) + 1)
		if (text_equal(at, with))
			return true;
	return false;
}

bool fdt_text_is(const struct fdt_property *property, const char *text)
{
	return property->data && text_equal(property->data, text);
}

uint32_t fdt_cell(const struct fdt_property *property, unsigned int nth)
{
	if (!property->data || property->length < (nth + 1) * 4)
		return 0;
	return be32((const uint32_t *)property->data + nth);
}

static uint64_t cells(const struct fdt_property *property, unsigned int first,
		      unsigned int count)
{
	uint64_t value = 0;

	while (count--)
		value = value << 32 | fdt_cell(property, first++);
	return value;
}

bool fdt_reg(const struct fdt_node *node, unsigned int nth, uint64_t *ret_base,
	     uint64_t *ret_size)
{
	unsigned int each = node->address_cells + node->size_cells;

	if (!node->reg.data || node->reg.length < (nth + 1) * each * 4)
		return false;
	*ret_base = cells(&node->reg, nth * each, node->address_cells);
	*ret_size = cells(&node->reg, nth * each + node->address_cells,
			  node->size_cells);
	return true;
}

unsigned int fdt_interrupt(const struct fdt_node *node, unsigned int nth)
{
	uint32_t type = fdt_cell(&node->interrupts, nth * 3);
	uint32_t number = fdt_cell(&node->interrupts, nth * 3 + 1);

	if (node->interrupts.length < (nth + 1) * 12)
		return 0;
	return number + (type == 0 ? 32 : 16);
}
