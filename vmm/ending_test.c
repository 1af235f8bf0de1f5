/* vmm/ending_test.c - the first decision counts, and its exit status. */
#include "vmm/ending.h"

#include <poll.h>

#include "base/math.h"
#include "base/test.h"

static bool is_raised(const struct ending *ending)
{
	struct pollfd fd = {.fd = ending->event_fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void first_decision_counts(void)
{
	struct ending ending;

	REQUIRE(!ending_init(&ending, NULL));
	CHECK(!ending_is_decided(&ending));
	CHECK(!is_raised(&ending));
	ending_decide(&ending, ENDING_DEBUG_EXIT, 3);
	CHECK(ending_is_decided(&ending));
	CHECK(is_raised(&ending));
	ending_decide(&ending, ENDING_POWER_OFF, 9);
	CHECK_EQUAL(ending.kind, ENDING_DEBUG_EXIT);
	CHECK_EQUAL(ending.value, 3);
	CHECK_EQUAL(ending_status(&ending), 7);
	ending_fini(&ending);
}

static void every_ending_has_its_status(void)
{
	static const struct {
		enum ending_kind kind;
		uint32_t value;
		int status;
	} endings[] = {
		{ENDING_POWER_OFF, 0, 0},    {ENDING_QUIT, 0, 0},
		{ENDING_RESET, 0, 3},	     {ENDING_PANICKED, 0, 4},
		{ENDING_CRASHED, 0, 5},	     {ENDING_HOST_FAILED, 5, 1},
		{ENDING_TIMEOUT, 0, 124},    {ENDING_SIGNAL, 2, 130},
		{ENDING_SIGNAL, 15, 143},    {ENDING_DEBUG_EXIT, 0, 1},
		{ENDING_DEBUG_EXIT, 16, 33}, {ENDING_DEBUG_EXIT, 127, 255},
		{ENDING_DEBUG_EXIT, 128, 1}, {ENDING_DEBUG_EXIT, ~0U, 255},
	};
	struct ending ending;

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
		REQUIRE(!ending_init(&ending, NULL));
		ending_decide(&ending, endings[i].kind, endings[i].value);
		CHECK_EQUAL(ending_status(&ending), endings[i].status);
		ending_fini(&ending);
	}
}

struct voter {
	pthread_t thread;
	struct ending *ending;
	uint32_t value;
};

static void *vote(void *argument)
{
	struct voter *voter = argument;

	ending_decide(voter->ending, ENDING_SIGNAL, voter->value);
	return NULL;
}

/* Whoever wins, kind and value are one voter's, and the event is one. */
static void threads_race_to_one_decision(void)
{
	struct voter voters[8];
	struct ending ending;

	REQUIRE(!ending_init(&ending, NULL));
	for (unsigned int i = 0; i < ARRAY_LENGTH(voters); i++) {
		voters[i] = (struct voter){.ending = &ending, .value = i + 1};
		REQUIRE(!pthread_create(&voters[i].thread, NULL, vote,
					&voters[i]));
	}
	for (unsigned int i = 0; i < ARRAY_LENGTH(voters); i++)
		pthread_join(voters[i].thread, NULL);
	CHECK_EQUAL(ending.kind, ENDING_SIGNAL);
	CHECK(ending.value >= 1 && ending.value <= ARRAY_LENGTH(voters));
	CHECK(is_raised(&ending));
	ending_fini(&ending);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(first_decision_counts),
		TEST(every_ending_has_its_status),
		TEST(threads_race_to_one_decision),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
