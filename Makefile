# alcor: `make run` boots Debian, `make check` tests everything. See README.md.
#
#   make [ARCH=x86_64|aarch64] [CC=gcc|clang] [SAN=address,undefined|thread]
#
# Targets: all static deps test proof torture mutants fuzz check run bench
# bench-plots lint layers compile_commands.json clean help. Everything made or
# downloaded goes below build/.

HOST_ARCH := $(shell uname -m)
ARCH      ?= $(HOST_ARCH)
SAN       ?=
V         ?= 0

ifeq ($(filter $(ARCH),x86_64 aarch64),)
$(error ARCH=$(ARCH) is not known; it is x86_64 or aarch64)
endif

# --- Tools ------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := gcc
endif
comma := ,
CLANG := $(findstring clang,$(notdir $(CC)))

BUILD := build/$(ARCH)$(if $(CLANG),-clang)$(if $(SAN),-$(subst $(comma),-,$(SAN)))

ifeq ($(ARCH),$(HOST_ARCH))
COMPILER := $(CC)
AR_TOOL  := ar
LD_TOOL  := ld
STRIP    := strip
RUN_TEST :=
else
# A cross build: Debian's cross gcc, or clang with a target, and the libraries
# from Debian's packages of that architecture (guest-tests/sysroot makes it).
TRIPLET  := $(ARCH)-linux-gnu
SYSROOT  := build/sysroot-$(ARCH)
SYSROOT_READY := $(SYSROOT)/recipe
AR_TOOL  := $(TRIPLET)-ar
LD_TOOL  := $(TRIPLET)-ld
STRIP    := $(TRIPLET)-strip
COMPILER := $(if $(CLANG),$(CC) --target=$(TRIPLET),$(TRIPLET)-gcc)
EMULATOR := qemu-$(ARCH) -L /usr/$(TRIPLET) \
	-E LD_LIBRARY_PATH=$(CURDIR)/$(SYSROOT)/usr/lib/$(TRIPLET)
# LeakSanitizer cannot run in an emulated process.
RUN_TEST := ALCOR_TEST_SMALL=1 ASAN_OPTIONS=detect_leaks=0 \
	ALCOR_TEST_RUNNER='$(EMULATOR)' $(EMULATOR)
CPPFLAGS_CROSS := -isystem $(SYSROOT)/usr/include
LDFLAGS_CROSS  := -L$(SYSROOT)/usr/lib/$(TRIPLET) \
	-Wl,-rpath-link,$(SYSROOT)/usr/lib/$(TRIPLET)
endif

# --- Flags ------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla -Wundef
OPTIMISE := $(if $(SAN),-O1 -fno-omit-frame-pointer,-O2)
HARDEN   := -fPIE -fstack-protector-strong \
	$(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(CLANG),2,3)) \
	$(if $(filter x86_64,$(ARCH)),$(if $(SAN),,-fstack-clash-protection))
SANITISE := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)

ALCOR_CPPFLAGS := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(CPPFLAGS_CROSS) \
	$(CPPFLAGS)
ALCOR_CFLAGS := -std=gnu17 -g $(OPTIMISE) $(WARNINGS) $(HARDEN) $(SANITISE) \
	-ffunction-sections -fdata-sections -pthread $(CFLAGS)
ALCOR_LDFLAGS := -pie -Wl,-z,relro,-z,now -pthread $(SANITISE) \
	$(LDFLAGS_CROSS) $(LDFLAGS)
# libdeflate where it is installed, else zlib alone: LIBDEFLATE=0 asks for that.
LIBDEFLATE ?= $(if $(SYSROOT),1,$(shell printf '\043include <libdeflate.h>' | \
	$(CC) -E - >/dev/null 2>&1 && echo 1 || echo 0))
ALCOR_CPPFLAGS += -DHAVE_LIBDEFLATE=$(LIBDEFLATE)
LIBRARIES := -lext2fs -lcom_err -lfdt -luring -lzstd $(if \
	$(filter 1,$(LIBDEFLATE)),-ldeflate) -lz

# --- Sources: one static library per folder, tests beside the sources -------
FOLDERS := vmm arch devices block base
folder_sources = $(filter-out %_test.c %_fuzz.c,$(wildcard $(1)/*.c) \
	$(if $(filter arch,$(1)),$(wildcard arch/$(ARCH)/*.c)))
folder_tests = $(wildcard $(1)/*_test.c) \
	$(if $(filter arch,$(1)),$(wildcard arch/$(ARCH)/*_test.c))

SOURCES := $(foreach f,$(FOLDERS),$(call folder_sources,$(f)))
TESTS   := $(foreach f,$(FOLDERS),$(call folder_tests,$(f)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
TEST_PROGRAMS := $(TESTS:%.c=$(BUILD)/%)
# In the order of who may use whom, so that a wrong dependency does not link.
ARCHIVES := $(foreach f,arch devices block base,$(BUILD)/$(f).a)

.DELETE_ON_ERROR:
.PHONY: all static deps test proof torture mutants fuzz check run bench \
	bench-tools bench-plots lint layers clean help
.SECONDARY:

QUIET := $(if $(filter 0,$(V)),@)

all: $(BUILD)/alcor

static: $(BUILD)/alcor-static

define archive_rule
$(BUILD)/$(1).a: $(patsubst %.c,$(BUILD)/%.o,$(call folder_sources,$(1)))
	$(QUIET)rm -f $$@ && $(AR_TOOL) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

$(BUILD)/alcor: $(BUILD)/vmm.a $(ARCHIVES)
	@echo "  LINK    $@"
	$(QUIET)$(COMPILER) $(ALCOR_LDFLAGS) -o $@ -Wl,--whole-archive $< \
		-Wl,--no-whole-archive $(ARCHIVES) $(LIBRARIES)

# Small, for an initramfs: see base/static.ld.
STATIC_LDFLAGS := -static-pie -Wl,--gc-sections -Wl,-T,base/static.ld \
	$(if $(findstring pack-relative-relocs,$(shell $(LD_TOOL) --help \
	2>/dev/null)),-Wl$(comma)-z$(comma)pack-relative-relocs)

$(BUILD)/alcor-static: $(BUILD)/vmm.a $(ARCHIVES) base/static.ld
	@echo "  LINK    $@"
	$(QUIET)$(COMPILER) $(ALCOR_LDFLAGS) $(STATIC_LDFLAGS) -o $@ \
		-Wl,--whole-archive $< -Wl,--no-whole-archive $(ARCHIVES) \
		$(LIBRARIES)
	$(QUIET)$(STRIP) $@

$(BUILD)/%.o: %.c Makefile | $(SYSROOT_READY)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(QUIET)$(COMPILER) $(ALCOR_CPPFLAGS) $(ALCOR_CFLAGS) -MMD -MP -c -o $@ $<

# A test sees its own folder's archive and those below it.
$(BUILD)/base/%_test: $(BUILD)/base/%_test.o $(BUILD)/base.a
	$(link_test)
$(BUILD)/block/%_test: $(BUILD)/block/%_test.o $(BUILD)/block.a $(BUILD)/base.a
	$(link_test)
$(BUILD)/devices/%_test: $(BUILD)/devices/%_test.o $(BUILD)/devices.a \
		$(BUILD)/block.a $(BUILD)/base.a
	$(link_test)
$(BUILD)/arch/%_test: $(BUILD)/arch/%_test.o $(BUILD)/arch.a $(BUILD)/base.a
	$(link_test)
$(BUILD)/vmm/%_test: $(BUILD)/vmm/%_test.o $(BUILD)/vmm.a $(ARCHIVES)
	$(link_test)

# These run the program itself.
$(BUILD)/vmm/hostile_test $(BUILD)/vmm/hostile_cost_test: | $(BUILD)/alcor

# Fuzzers are for clang alone; guest-tests/fuzz makes them, and a corpus.
$(BUILD)/block/%_fuzz: $(BUILD)/block/%_fuzz.o $(BUILD)/block.a $(BUILD)/base.a
	@echo "  LINK    $@"
	$(QUIET)$(COMPILER) $(ALCOR_LDFLAGS) -fsanitize=fuzzer -o $@ $^ \
		$(LIBRARIES)

define link_test
@echo "  LINK    $@"
$(QUIET)$(COMPILER) $(ALCOR_LDFLAGS) -o $@ $^ $(LIBRARIES)
endef

-include $(OBJECTS:.o=.d) $(TEST_PROGRAMS:=.d)

# --- Tests ------------------------------------------------------------------
# The unit tests alone, as they are built by these ARCH, CC and SAN.
test: $(TEST_PROGRAMS)
	@status=0; for t in $(TEST_PROGRAMS); do \
		echo "# $$t"; $(RUN_TEST) $$t || status=1; done; exit $$status

# That qcow2 loses nothing (docs/testing.md), at the size of "make check", and
# at any size: make torture STATES=... KILLS=... IMAGES=... SEED=...
PROOFS := $(addprefix $(BUILD)/block/qcow2_,crash_test tables_crash_test \
	tables_fault_test kill_test differential_test)
STATES = 20000
QEMU_STATES = 1000
KILLS = 200
IMAGES = 500
SEED = 1

proof: $(PROOFS)
	@status=0; for t in $(PROOFS); do echo "# $$t"; \
	ALCOR_TEST_STATES=$(STATES) ALCOR_TEST_QEMU_STATES=$(QEMU_STATES) \
	ALCOR_TEST_FAULTS=0 ALCOR_TEST_KILLS=$(KILLS) ALCOR_TEST_IMAGES=$(IMAGES) \
	ALCOR_TEST_SEED=$(SEED) $(RUN_TEST) $$t || status=1; done; exit $$status

torture: STATES = 2000000
torture: QEMU_STATES = 20000
torture: KILLS = 5000
torture: IMAGES = 50000
torture: SEED := $(shell date +%s)
torture: proof

mutants:
	guest-tests/mutants

# FUZZ_SECONDS=3600 make fuzz
fuzz:
	guest-tests/fuzz

check:
	guest-tests/check

run:
	@guest-tests/run-debian

deps:
	guest-tests/deps

$(SYSROOT_READY): guest-tests/sysroot
	guest-tests/sysroot $(ARCH)
	@touch $@

# --- Measurements beside QEMU: docs/performance.md ---------------------------
# make bench [CASES="NAME..."] [ROUNDS=N]; bench/run --list has the names.
CASES  =
ROUNDS = 5
BENCH_TOOLS := $(addprefix build/bench/tools/,pread_loop uring_loop \
	inflate_loop map_lookup until)
BENCH_COMPILE = @mkdir -p $(@D) && $(CC) -I. -std=gnu17 -D_GNU_SOURCE -O2 \
	$(WARNINGS) -o $@

bench:
	@guest-tests/deps --bench
	@$(MAKE) -s -k all bench-tools || true
	@bench/run --rounds $(ROUNDS) $(CASES)

bench-plots:
	@guest-tests/deps --bench
	@bench/plots

bench-tools: $(BENCH_TOOLS)

build/bench/tools/pread_loop: bench/tools/pread_loop.c bench/tools/walk.c \
		bench/tools/walk.h
	$(BENCH_COMPILE) -static $(filter %.c,$^)
build/bench/tools/uring_loop: bench/tools/uring_loop.c bench/tools/walk.c \
		bench/tools/walk.h
	$(BENCH_COMPILE) $(filter %.c,$^) -luring
build/bench/tools/inflate_loop: bench/tools/inflate_loop.c
	$(BENCH_COMPILE) $< -ldeflate -lz -lzstd
build/bench/tools/until: bench/tools/until.c
	$(BENCH_COMPILE) -static $<
build/bench/tools/map_lookup: bench/tools/map_lookup.c $(BUILD)/block.a \
		$(BUILD)/base.a
	$(BENCH_COMPILE) -pthread $^ $(LIBRARIES)

# --- What keeps the code in shape -------------------------------------------
C_FILES := $(shell git ls-files --cached --others --exclude-standard \
	'*.c' '*.h' 2>/dev/null)

lint:
	@clang-format --dry-run --Werror $(C_FILES)

layers:
	@guest-tests/layers

compile_commands.json:
	@{ echo '['; separator=; for source in $(SOURCES) $(TESTS); do \
	printf '%s{"directory":"%s","file":"%s","command":"%s -c %s"}' \
		"$$separator" "$(CURDIR)" "$$source" \
		"$(COMPILER) $(ALCOR_CPPFLAGS) $(ALCOR_CFLAGS)" "$$source"; \
	separator=','; done; echo ']'; } > $@

clean:
	rm -rf $(BUILD)

help:
	@sed -n '/^# alcor/,/^$$/s/^# \{0,1\}//p' Makefile
