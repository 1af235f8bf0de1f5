/*
 * vmm/run.h - `alcor run`: from the command line to an exit status.
 */
#ifndef VMM_RUN_H
#define VMM_RUN_H

/* @argv is what stands behind `run`. Returns the process's exit status. */
int run_command(int argc, char **argv);

#endif
