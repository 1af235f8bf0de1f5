/* block/img_blkdebug_rules.c - see img_blkdebug_rules.h. */
#include "block/img_blkdebug_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/block.h"

#define RULES_MAX 32
#define KEY_MAX	  64

struct rule {
	enum blkdebug_event event;
	uint64_t state; /* 0: any */
	uint64_t new_state;
	int error;	 /* positive; 0: it sets the state */
	uint64_t sector; /* UINT64_MAX: any */
	bool once;
	bool spent;
};

struct blkdebug_rules {
	uint64_t state;
	size_t count;
	struct rule rules[RULES_MAX];
};

enum blkdebug_event blkdebug_event_find(const char *name)
{
	static const struct {
		const char *name;
		enum blkdebug_event event;
	} events[] = {
		{"l1_update", BLKDEBUG_WRITE_TABLE},
		{"l1_grow_write_table", BLKDEBUG_WRITE_TABLE},
		{"l1_grow_activate_table", BLKDEBUG_WRITE_TABLE},
		{"l2_update", BLKDEBUG_WRITE_TABLE},
		{"l2_update_compressed", BLKDEBUG_WRITE_TABLE},
		{"l2_alloc_write", BLKDEBUG_WRITE_TABLE},
		{"reftable_grow", BLKDEBUG_WRITE_TABLE},
		{"reftable_update", BLKDEBUG_WRITE_TABLE},
		{"refblock_update", BLKDEBUG_WRITE_TABLE},
		{"refblock_update_part", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc_hookup", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc_write", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc_write_blocks", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc_write_table", BLKDEBUG_WRITE_TABLE},
		{"refblock_alloc_switch_table", BLKDEBUG_WRITE_TABLE},
		{"l2_load", BLKDEBUG_READ_TABLE},
		{"l2_alloc_cow_read", BLKDEBUG_READ_TABLE},
		{"reftable_load", BLKDEBUG_READ_TABLE},
		{"refblock_load", BLKDEBUG_READ_TABLE},
		{"write_aio", BLKDEBUG_WRITE_DATA},
		{"write_compressed", BLKDEBUG_WRITE_DATA},
		{"cow_write", BLKDEBUG_WRITE_DATA},
		{"cor_write", BLKDEBUG_WRITE_DATA},
		{"pwritev", BLKDEBUG_WRITE_DATA},
		{"read_aio", BLKDEBUG_READ_DATA},
		{"read_backing_aio", BLKDEBUG_READ_DATA},
		{"read_compressed", BLKDEBUG_READ_DATA},
		{"cow_read", BLKDEBUG_READ_DATA},
		{"flush_to_os", BLKDEBUG_FLUSH},
		{"flush_to_disk", BLKDEBUG_FLUSH},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
		if (!strcmp(events[i].name, name))
			return events[i].event;
	return BLKDEBUG_UNKNOWN;
}

/* --- Reading them --------------------------------------------------------- */

/* One rule's keys. */
struct section {
	struct img_spec *spec;
	char prefix[KEY_MAX];
	struct err *err;
};

static int take_number(struct section *section, const char *key,
		       uint64_t *number)
{
	const char *value = img_spec_take(section->spec, section->prefix, key);

	if (!value || parse_number(value, INT64_MAX, number))
		return 0;
	return err_set(section->err, EINVAL,
		       "blkdebug: '%s' is to be a number, not '%s'", key,
		       value);
}

static bool take_switch(struct section *section, const char *key)
{
	const char *value = img_spec_take(section->spec, section->prefix, key);

	return value && !strcmp(value, "on");
}

static int take_event(struct section *section, const char *event,
		      struct rule *rule)
{
	rule->event = blkdebug_event_find(event);
	if (rule->event)
		return 0;
	return err_set(section->err, EINVAL,
		       "blkdebug: the event '%s' is not known", event);
}

static int take_rule(struct section *section, bool sets_state,
		     const char *event, struct blkdebug_rules *rules)
{
	struct rule rule = {.sector = UINT64_MAX};
	uint64_t error = sets_state ? 0 : EIO;
	int ret = take_event(section, event, &rule);

	if (!ret)
		ret = take_number(section, "state", &rule.state);
	if (!ret)
		ret = take_number(section, "new_state", &rule.new_state);
	if (!ret)
		ret = take_number(section, "errno", &error);
	if (!ret)
		ret = take_number(section, "sector", &rule.sector);
	if (ret)
		return ret;
	rule.once = take_switch(section, "once");
	take_switch(section, "immediately"); /* it always is */
	rule.error = (int)min_u64(error, INT16_MAX);
	rules->rules[rules->count++] = rule;
	return 0;
}

/* All that are numbered from 0 on. */
static int take_rules(struct img_spec *spec, const char *prefix,
		      const char *kind, struct blkdebug_rules *rules,
		      struct err *err)
{
	struct section section = {.spec = spec, .err = err};
	bool sets_state = !strcmp(kind, "set-state");
	const char *event;
	int ret = 0;

	for (unsigned int i = 0; !ret && rules->count < RULES_MAX; i++) {
		snprintf(section.prefix, KEY_MAX, "%s%s.%u.", prefix, kind, i);
		event = img_spec_take(spec, section.prefix, "event");
		if (!event)
			break;
		ret = take_rule(&section, sets_state, event, rules);
	}
	return ret;
}

/* --- The file of rules ---------------------------------------------------- */

struct config {
	struct img_spec *spec;
	const char *prefix;
	char section[KEY_MAX]; /* "inject-error.0." */
	unsigned int count[2]; /* of inject-error, and of set-state */
	struct err *err;
};

/* "[inject-error]" begins the keys of another rule. */
static int begin_section(struct config *config, const char *line)
{
	static const char *const kinds[] = {"inject-error", "set-state"};
	size_t length = strcspn(line, "]");

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (length == strlen(kinds[i]) &&
		    !strncmp(line, kinds[i], length)) {
			snprintf(config->section, KEY_MAX, "%s.%u.", kinds[i],
				 config->count[i]++);
			return 0;
		}
	return err_set(config->err, EINVAL,
		       "blkdebug: sections are inject-error and set-state, "
		       "not '%.*s'",
		       (int)length, line);
}

/* "key = "value"" */
static int read_key(struct config *config, const char *line)
{
	size_t length = strcspn(line, " \t=");
	const char *value = strchr(line, '"');
	char key[3 * KEY_MAX], text[KEY_MAX];

	if (!value || length >= KEY_MAX)
		return err_set(config->err, EINVAL,
			       "blkdebug: the rules say '%s'", line);
	snprintf(key, sizeof(key), "%s%s%.*s", config->prefix, config->section,
		 (int)length, line);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(value + 1, "\"\n"),
		 value + 1);
	return img_spec_append(config->spec, key, text, config->err);
}

static int read_config(struct config *config, const char *path)
{
	char line[256], *text;
	FILE *file = fopen(path, "re");
	int ret = 0;

	if (!file)
		return err_errno(config->err, errno,
				 "Could not read blkdebug config file '%s'",
				 path);
	while (!ret && fgets(line, sizeof(line), file)) {
		text = line + strspn(line, " \t");
		if (*text == '[')
			ret = begin_section(config, text + 1);
		else if (*text != '#' && *text != '\n')
			ret = read_key(config, text);
	}
	fclose(file);
	return ret;
}

int blkdebug_rules_new(struct img_spec *spec, const char *prefix,
		       struct blkdebug_rules **ret_rules, struct err *err)
{
	const char *path = img_spec_take(spec, prefix, "config");
	struct config config = {.spec = spec, .prefix = prefix, .err = err};
	struct blkdebug_rules *rules = calloc(1, sizeof(*rules));
	int ret = 0;

	if (!rules)
		return err_set(err, ENOMEM, "out of memory");
	rules->state = 1;
	if (path && *path)
		ret = read_config(&config, path);
	if (!ret)
		ret = take_rules(spec, prefix, "set-state", rules, err);
	if (!ret)
		ret = take_rules(spec, prefix, "inject-error", rules, err);
	if (ret)
		free(rules);
	else
		*ret_rules = rules;
	return ret;
}

void blkdebug_rules_free(struct blkdebug_rules *rules)
{
	free(rules);
}

/* --- Applying them -------------------------------------------------------- */

static bool is_for(const struct rule *rule, const struct blkdebug_rules *rules,
		   enum blkdebug_event event, uint64_t offset, uint64_t length)
{
	uint64_t at = rule->sector * BLOCK_SECTOR;

	if (rule->event != event || rule->spent ||
	    (rule->state && rule->state != rules->state))
		return false;
	return rule->sector == UINT64_MAX ||
	       (at + BLOCK_SECTOR > offset && at < offset + length);
}

/* A state that was set only counts from the next event on. */
int blkdebug_rules_apply(struct blkdebug_rules *rules,
			 enum blkdebug_event event, uint64_t offset,
			 uint64_t length)
{
	uint64_t next = rules->state;
	int ret = 0;

	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->rules[i];

		if (!is_for(rule, rules, event, offset, length))
			continue;
		if (rule->error && !ret) {
			ret = -rule->error;
			rule->spent = rule->once;
		}
		if (!rule->error)
			next = rule->new_state;
	}
	rules->state = next;
	return ret;
}
