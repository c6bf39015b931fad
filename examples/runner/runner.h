/*  runner.h - the kinds of this example, for its server and its tests. */
#ifndef EXAMPLES_RUNNER_RUNNER_H
#define EXAMPLES_RUNNER_RUNNER_H

#include <troupe.h>

extern const troupe_kind_t runner, coach;

#endif
