/*
 * vmm/options_test.c - every option, right and wrong; what a person reads when
 * a word is misspelt, a value missing or too large.
 */
#include "vmm/options.h"

#include <errno.h>

#include "base/math.h"
#include "base/test.h"

/* options_parse() of the words behind @err. */
#define PARSE(options, err, ...)                                          \
	options_parse((options), ARRAY_LENGTH(((char *[]){__VA_ARGS__})), \
		      (char *[]){__VA_ARGS__}, (err))

#define CHECK_REFUSED(code, sentence, ...)                                  \
	do {                                                                \
		struct run_options refused_;                                \
		struct err err_ = {""};                                     \
		CHECK_EQUAL(PARSE(&refused_, &err_, __VA_ARGS__), -(code)); \
		CHECK_TEXT(err_.text, sentence);                            \
		options_fini(&refused_);                                    \
	} while (0)

static void defaults(void)
{
	struct run_options options;

	REQUIRE(!options_parse(&options, 0, NULL, NULL));
	CHECK_EQUAL(options.cpus, 1);
	CHECK_EQUAL(options.memory, GIB);
	CHECK_EQUAL(options.disk_count, 0);
	CHECK_EQUAL(options.console, CONSOLE_STDIO);
	CHECK_EQUAL(options.discovery, ARCH_DISCOVERY_DEFAULT);
	CHECK_EQUAL(options.timeout_ms, 0);
	CHECK(options.rng);
	CHECK(!options.help && !options.no_reboot && !options.debug_exit);
	CHECK(!options.kernel && !options.initrd && !options.cmdline &&
	      !options.append && !options.stats_path);
	options_fini(&options);
}

static void every_option_is_taken(void)
{
	struct run_options options;

	REQUIRE(!PARSE(&options, NULL, "--kernel", "K", "--initrd", "I",
		       "--cmdline", "quiet", "--append", "debug", "--cpus", "4",
		       "--memory", "512M", "--disk", "a.qcow2", "--rng", "off",
		       "--console", "null", "--no-reboot", "--timeout", "90s",
		       "--debug-exit", "--stats", "S", "--discovery", "cmdline",
		       "--help"));
	CHECK_TEXT(options.kernel, "K");
	CHECK_TEXT(options.initrd, "I");
	CHECK_TEXT(options.cmdline, "quiet");
	CHECK_TEXT(options.append, "debug");
	CHECK_EQUAL(options.cpus, 4);
	CHECK_EQUAL(options.memory, 512 * MIB);
	CHECK_EQUAL(options.disk_count, 1);
	CHECK_TEXT(options.disks[0].block.path, "a.qcow2");
	CHECK(!options.rng);
	CHECK_EQUAL(options.console, CONSOLE_NULL);
	CHECK(options.no_reboot);
	CHECK_EQUAL(options.timeout_ms, 90000);
	CHECK(options.debug_exit);
	CHECK_TEXT(options.stats_path, "S");
	CHECK_EQUAL(options.discovery, ARCH_DISCOVERY_CMDLINE);
	CHECK(options.help);
	options_fini(&options);
}

static void values_may_follow_an_equals_sign(void)
{
	struct run_options options;

	REQUIRE(!PARSE(&options, NULL, "--kernel=K", "--cmdline=root=/dev/vda1",
		       "--cpus=2", "--append=", "-h"));
	CHECK_TEXT(options.kernel, "K");
	CHECK_TEXT(options.cmdline, "root=/dev/vda1");
	CHECK_EQUAL(options.cpus, 2);
	CHECK_TEXT(options.append, "");
	CHECK(options.help);
	options_fini(&options);
}

/* A value is a value, whatever it looks like. */
static void values_may_look_like_options(void)
{
	struct run_options options;

	REQUIRE(!PARSE(&options, NULL, "--append", "--quiet", "--cmdline",
		       "--"));
	CHECK_TEXT(options.append, "--quiet");
	CHECK_TEXT(options.cmdline, "--");
	options_fini(&options);
}

static void image_is_the_first_disk(void)
{
	struct run_options options;

	REQUIRE(!PARSE(&options, NULL, "--disk", "b.raw,format=raw", "a.qcow2",
		       "--disk", "c.qcow2,ro"));
	REQUIRE(options.disk_count == 3);
	CHECK_TEXT(options.disks[0].block.path, "a.qcow2");
	CHECK_EQUAL(options.disks[0].block.format, BLOCK_QCOW2);
	CHECK_TEXT(options.disks[1].block.path, "b.raw");
	CHECK_EQUAL(options.disks[1].block.format, BLOCK_RAW);
	CHECK_TEXT(options.disks[2].block.path, "c.qcow2");
	CHECK(options.disks[2].block.read_only);
	options_fini(&options);
}

/* A file name with commas is no list of keys where no --disk is. */
static void image_names_are_taken_as_they_are(void)
{
	struct run_options options;

	REQUIRE(!PARSE(&options, NULL, "--cpus", "2", "--", "--a,ro=b.qcow2"));
	CHECK_EQUAL(options.disk_count, 1);
	CHECK_TEXT(options.disks[0].block.path, "--a,ro=b.qcow2");
	options_fini(&options);
	CHECK_REFUSED(EINVAL,
		      "b is a second image; further disks are named by --disk",
		      "a", "--", "b");
}

static void sixteen_disks_and_no_more(void)
{
	char *argv[2 * (OPTIONS_DISKS_MAX + 1)];
	struct run_options options;
	struct err err;

	for (unsigned int i = 0; i < ARRAY_LENGTH(argv); i += 2) {
		argv[i] = "--disk";
		argv[i + 1] = "a";
	}
	CHECK_EQUAL(options_parse(&options, 2 * OPTIONS_DISKS_MAX, argv, NULL),
		    0);
	CHECK_EQUAL(options.disk_count, OPTIONS_DISKS_MAX);
	options_fini(&options);
	CHECK_EQUAL(options_parse(&options, ARRAY_LENGTH(argv), argv, &err),
		    -EINVAL);
	CHECK_TEXT(err.text, "more than 16 disks");
	options_fini(&options);
	argv[2 * OPTIONS_DISKS_MAX] = "image"; /* counts, too */
	CHECK_EQUAL(options_parse(&options, 2 * OPTIONS_DISKS_MAX + 1, argv,
				  &err),
		    -EINVAL);
	options_fini(&options);
}

/* As many as one likes, and disks between them. */
static void appends_add_up(void)
{
	enum { PAIRS = 2 * OPTIONS_DISKS_MAX + 40 };
	char *argv[2 * PAIRS];
	struct run_options options;

	for (unsigned int i = 0; i < PAIRS; i++) {
		bool disk = i % 4 == 3 && i / 4 < OPTIONS_DISKS_MAX;

		argv[2 * i] = disk ? "--disk" : "--append";
		argv[2 * i + 1] = disk ? "d" : "x";
	}
	REQUIRE(!options_parse(&options, 2 * PAIRS, argv, NULL));
	CHECK_EQUAL(options.disk_count, OPTIONS_DISKS_MAX);
	CHECK_EQUAL(strlen(options.append),
		    2 * (PAIRS - OPTIONS_DISKS_MAX) - 1);
	CHECK(!strncmp(options.append, "x x x", 5));
	options_fini(&options);
}

static void misspelt_options_name_the_nearest(void)
{
	CHECK_REFUSED(EINVAL, "unknown option --kernle; did you mean --kernel?",
		      "--kernle", "K");
	CHECK_REFUSED(EINVAL, "unknown option --cpu; did you mean --cpus?",
		      "--cpu=4");
	CHECK_REFUSED(EINVAL, "unknown option --memroy; did you mean --memory?",
		      "--memroy=16777216K");
	CHECK_REFUSED(EINVAL, "unknown option -append; did you mean --append?",
		      "-append", "quiet");
	CHECK_REFUSED(EINVAL,
		      "unknown option --no-rebot; did you mean --no-reboot?",
		      "--no-rebot");
	CHECK_REFUSED(EINVAL, "unknown option --frobnicate; --help lists them",
		      "--frobnicate=yes");
	CHECK_REFUSED(EINVAL, "unknown option -; --help lists them", "-");
}

static void values_must_be_where_they_belong(void)
{
	CHECK_REFUSED(EINVAL, "--kernel needs a value", "--kernel");
	CHECK_REFUSED(EINVAL, "--disk needs a value", "a", "--disk");
	CHECK_REFUSED(EINVAL, "--no-reboot takes no value", "--no-reboot=yes");
	CHECK_REFUSED(EINVAL, "--help takes no value", "--help=me");
}

static void cpus_have_limits(void)
{
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--cpus", "1024"), 0);
	CHECK_EQUAL(options.cpus, 1024);
	CHECK_REFUSED(EINVAL, "--cpus 0 is not a number from 1 to 1024",
		      "--cpus", "0");
	CHECK_REFUSED(EINVAL, "--cpus 1025 is not a number from 1 to 1024",
		      "--cpus", "1025");
	CHECK_REFUSED(EINVAL, "--cpus two is not a number from 1 to 1024",
		      "--cpus", "two");
	CHECK_REFUSED(EINVAL, "--cpus  is not a number from 1 to 1024",
		      "--cpus=");
}

static void memory_has_limits(void)
{
	static const char *const wrong[] = {"31M", "33T", "32",		 "1X",
					    "",	   "-1G", "17179869184G"};
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "32M"), 0);
	CHECK_EQUAL(options.memory, 32 * MIB);
	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "32T"), 0);
	CHECK_EQUAL(options.memory, 1ULL << 45);
	/* Huge pages may stand behind it: it grows to the next 2 MiB. */
	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "33M"), 0);
	CHECK_EQUAL(options.memory, 34 * MIB);
	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "33554433"), 0);
	CHECK_EQUAL(options.memory, 34 * MIB);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		CHECK_EQUAL(PARSE(&options, NULL, "--memory", (char *)wrong[i]),
			    -EINVAL);
	CHECK_REFUSED(EINVAL,
		      "--memory 16 is not a size from 32M to 32T, such as 512M "
		      "or 4G",
		      "--memory", "16");
	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "64M,hugepages=on"), 0);
	CHECK_EQUAL(options.memory, 64 * MIB);
	CHECK(options.hugepages);
	CHECK_EQUAL(PARSE(&options, NULL, "--memory", "64M,hugepages=off"), 0);
	CHECK(!options.hugepages);
	CHECK_REFUSED(EINVAL, "hugepages cannot be maybe; it is one of off, on",
		      "--memory", "64M,hugepages=maybe");
	CHECK_REFUSED(EINVAL,
		      "--memory takes hugepages=on|off after the size, not "
		      "'shared=on'",
		      "--memory", "64M,shared=on");
}

static void timeouts_are_durations(void)
{
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--timeout", "5"), 0);
	CHECK_EQUAL(options.timeout_ms, 5000);
	CHECK_EQUAL(PARSE(&options, NULL, "--timeout", "2h"), 0);
	CHECK_EQUAL(options.timeout_ms, 7200000);
	CHECK_REFUSED(EINVAL,
		      "--timeout 0 is not a duration such as 90, 90s or 5m",
		      "--timeout", "0");
	CHECK_REFUSED(
		EINVAL,
		"--timeout 9999999999999 is not a duration such as 90, 90s or "
		"5m",
		"--timeout", "9999999999999");
}

static void consoles(void)
{
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--console", "pty"), 0);
	CHECK_EQUAL(options.console, CONSOLE_PTY);
	CHECK_EQUAL(PARSE(&options, NULL, "--console", "null", "--console",
			  "stdio"),
		    0);
	CHECK_EQUAL(options.console, CONSOLE_STDIO);
	CHECK_EQUAL(PARSE(&options, NULL, "--console=file,path=a=b,c"), 0);
	CHECK_EQUAL(options.console, CONSOLE_FILE);
	CHECK_TEXT(options.console_path, "a=b,c");
	CHECK_REFUSED(EINVAL,
		      "--console cannot be file; it is one of stdio, null, "
		      "pty, file,path=FILE",
		      "--console", "file");
	CHECK_REFUSED(EINVAL,
		      "--console cannot be file,path=; it is one of stdio, "
		      "null, pty, file,path=FILE",
		      "--console", "file,path=");
}

static void words_are_chosen_from_a_list(void)
{
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--rng", "off", "--rng", "on"), 0);
	CHECK(options.rng);
	CHECK_EQUAL(PARSE(&options, NULL, "--discovery", "fdt"), 0);
	CHECK_EQUAL(options.discovery, ARCH_DISCOVERY_FDT);
	CHECK_EQUAL(PARSE(&options, NULL, "--discovery", "acpi"), 0);
	CHECK_EQUAL(options.discovery, ARCH_DISCOVERY_ACPI);
	CHECK_REFUSED(EINVAL, "--rng cannot be yes; it is one of off, on",
		      "--rng", "yes");
	CHECK_REFUSED(EINVAL, "--rng cannot be empty; it is one of off, on",
		      "--rng=");
	CHECK_REFUSED(EINVAL,
		      "--discovery cannot be mptable; it is one of acpi, "
		      "cmdline, fdt",
		      "--discovery", "mptable");
}

static void later_options_are_refused_by_name(void)
{
	struct run_options options;

	CHECK_EQUAL(PARSE(&options, NULL, "--net", "none", "--balloon", "off",
			  "--sandbox=off"),
		    0);
	CHECK_REFUSED(ENOTSUP,
		      "--net passt is not done yet; it can only be none",
		      "--net", "passt");
	CHECK_REFUSED(ENOTSUP,
		      "--sandbox on is not done yet; it can only be off",
		      "--sandbox", "on");
	CHECK_REFUSED(ENOTSUP, "--gdb is not done yet", "--gdb", "sock");
	CHECK_REFUSED(ENOTSUP, "--vsock is not done yet", "--vsock=cid=3");
	CHECK_REFUSED(ENOTSUP, "--trace is not done yet", "--trace", "exits");
}

static void a_disks_error_names_the_disk(void)
{
	CHECK_REFUSED(EINVAL, "--disk a: unknown key rw; did you mean ro?",
		      "--disk", "a,rw");
}

/* Each of them is in the text, or nobody would find it. */
static void help_tells_of_each_option(void)
{
	static const char *const names[] = {
		"--kernel FILE", "--initrd FILE", "--cmdline TEXT",
		"--append TEXT", "--cpus N",	  "--memory SIZE",
		"--disk FILE",	 "--rng on|off",  "--console stdio|null|pty",
		"--no-reboot",	 "--debug-exit",  "--timeout DURATION",
		"--stats FILE",	 "--discovery",	  "format=",
		"queues=N",	 "cache=",	  "l2-cache=SIZE",
		"serial=TEXT",	 "backing=",	  "data-file=",
		"  ro ",	 "  snapshot ",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (!CHECK(strstr(options_help, names[i])))
			printf("# %s\n", names[i]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(defaults),
		TEST(every_option_is_taken),
		TEST(values_may_follow_an_equals_sign),
		TEST(values_may_look_like_options),
		TEST(image_is_the_first_disk),
		TEST(image_names_are_taken_as_they_are),
		TEST(sixteen_disks_and_no_more),
		TEST(appends_add_up),
		TEST(misspelt_options_name_the_nearest),
		TEST(values_must_be_where_they_belong),
		TEST(cpus_have_limits),
		TEST(memory_has_limits),
		TEST(timeouts_are_durations),
		TEST(consoles),
		TEST(words_are_chosen_from_a_list),
		TEST(later_options_are_refused_by_name),
		TEST(a_disks_error_names_the_disk),
		TEST(help_tells_of_each_option),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
