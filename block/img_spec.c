/* block/img_spec.c - the list, and "key=value,key=value"; see img_spec.h. */
#include "block/img_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void img_spec_fini(struct img_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		free(spec->options[i].key);
		free(spec->options[i].value);
	}
	free(spec->options);
	*spec = (struct img_spec){0};
}

int img_spec_append(struct img_spec *spec, const char *key, const char *value,
		    struct err *err)
{
	struct img_spec_option *options, *option;

	options = reallocarray(spec->options, spec->count + 1,
			       sizeof(*options));
	if (!options)
		return err_set(err, ENOMEM, "out of memory");
	spec->options = options;
	option = &options[spec->count++];
	*option = (struct img_spec_option){
		.key = strdup(key),
		.value = strdup(value),
	};
	if (!option->key || !option->value)
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

/* Copies up to a comma that stands alone; returns what is behind it. */
static const char *copy_value(const char *text, char *value)
{
	while (*text) {
		if (*text == ',' && *++text != ',')
			break;
		*value++ = *text++;
	}
	*value = '\0';
	return text;
}

int img_spec_add(struct img_spec *spec, const char *text, struct err *err)
{
	char *key = strdup(text), *value = strdup(text);
	size_t length;
	int ret = 0;

	if (!key || !value)
		ret = err_set(err, ENOMEM, "out of memory");
	while (!ret && *text) {
		length = strcspn(text, "=,");
		memcpy(key, text, length);
		key[length] = '\0';
		text += length;
		if (*text == '=') {
			text = copy_value(text + 1, value);
		} else {
			strcpy(value, "on");
			text += *text == ',';
		}
		ret = length ? img_spec_append(spec, key, value, err)
			     : err_set(err, EINVAL, "Invalid parameter '%s'",
				       text);
	}
	free(key);
	free(value);
	return ret;
}

static bool is_key(const char *key, const char *prefix, const char *name)
{
	size_t length = strlen(prefix);

	return !strncmp(key, prefix, length) && !strcmp(key + length, name);
}

const char *img_spec_take(struct img_spec *spec, const char *prefix,
			  const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < spec->count; i++)
		if (is_key(spec->options[i].key, prefix, key)) {
			spec->options[i].taken = true;
			value = spec->options[i].value;
		}
	return value;
}

const char *img_spec_rest(const struct img_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++)
		if (!spec->options[i].taken)
			return spec->options[i].key;
	return NULL;
}
