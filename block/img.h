/*
 * block/img.h - `alcor img`: qemu-img's and qemu-io's commands.
 *
 * The tools know files, not guests. Words, options, output and exit statuses
 * are those of QEMU 7.2, so that scripts, and QEMU's own tests, need not know
 * which program they talk to. What differs is said in alcor(1).
 */
#ifndef BLOCK_IMG_H
#define BLOCK_IMG_H

/* `alcor img` with what was typed behind it. Returns the exit status. */
int img_command(int argc, char **argv);

/*
 * If the program was called qemu-img or qemu-io, by a symbolic link perhaps:
 * what that would do, with that name in front of messages. Else -1. @argv is
 * main()'s.
 */
int img_command_as_qemu(int argc, char **argv);

#endif
