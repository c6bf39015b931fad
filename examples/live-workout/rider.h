/*  rider.h - a simulated athlete on a bicycle, on a closed course: the same seed gives the same ride. */
#ifndef EXAMPLES_LIVE_WORKOUT_RIDER_H
#define EXAMPLES_LIVE_WORKOUT_RIDER_H

#include <stdint.h>

typedef struct {
    uint64_t dice;
    double mass_kg;              /* with the bicycle */
    double threshold_w;          /* what can be held for an hour */
    double rest_bpm, threshold_bpm;
    double effort;               /* wanders around 1 */
    double distance_m, speed_m_s;
    double power_w, heart_bpm, cadence;
    double lat, lon;
} rider_t;

/*  At the start line, standing. */
void rider_init (rider_t *rider, uint64_t seed);

/*  Rides on for so long, at most some seconds. */
void rider_ride (rider_t *rider, double seconds);

#endif
