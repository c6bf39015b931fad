/*  workout.h - the kinds of this example, for its server and its tests. */
#ifndef EXAMPLES_LIVE_WORKOUT_WORKOUT_H
#define EXAMPLES_LIVE_WORKOUT_WORKOUT_H

#include <troupe.h>

extern const troupe_kind_t sensor, session;

#endif
