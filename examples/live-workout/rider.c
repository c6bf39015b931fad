/*  rider.c - power makes speed against air, tyres and slope; the heart follows the power. */

#include "rider.h"

#include <math.h>
#include <stdbool.h>

#define COURSE_POINTS 720
#define STEP_S 0.05

static struct {
    double east_m[COURSE_POINTS], north_m[COURSE_POINTS], height_m[COURSE_POINTS];
    double from_start_m[COURSE_POINTS + 1];
    bool is_laid;
} course;

static const double center_lat = 48.2105, center_lon = 16.4120, meters_per_degree = 111320;

/*  A loop of some three kilometers with bends and one hill. */
static void
lay_course (void)
{
    for (int i = 0; i < COURSE_POINTS; i++) {
        double turn = 2 * M_PI * i / COURSE_POINTS;
        double radius_m = 430 * (1 + 0.22 * cos (2 * turn + 0.4) + 0.12 * sin (3 * turn) + 0.05 * cos (5 * turn));
        course.east_m[i] = 1.25 * radius_m * cos (turn);
        course.north_m[i] = 0.8 * radius_m * sin (turn);
        course.height_m[i] = 14 * (1 - cos (turn));
    }
    for (int i = 0; i < COURSE_POINTS; i++) {
        int next = (i + 1) % COURSE_POINTS;
        course.from_start_m[i + 1] = course.from_start_m[i] + hypot (course.east_m[next] - course.east_m[i],
                                                                     course.north_m[next] - course.north_m[i]);
    }
    course.is_laid = true;
}

/*  From 0 to 1: splitmix64. */
static double
dice (rider_t *rider)
{
    uint64_t z = rider->dice += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double) ((z ^ (z >> 31)) >> 11) / (double) (1ull << 53);
}

/*  Puts the rider where the distance says, and gives the slope there. */
static double
place (rider_t *rider)
{
    double along_m = fmod (rider->distance_m, course.from_start_m[COURSE_POINTS]);
    int low = 0, high = COURSE_POINTS;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (course.from_start_m[middle] <= along_m)
            low = middle;
        else
            high = middle;
    }
    int next = (low + 1) % COURSE_POINTS;
    double length_m = course.from_start_m[low + 1] - course.from_start_m[low];
    double part = (along_m - course.from_start_m[low]) / length_m;
    double east_m = course.east_m[low] + part * (course.east_m[next] - course.east_m[low]);
    double north_m = course.north_m[low] + part * (course.north_m[next] - course.north_m[low]);
    rider->lat = center_lat + north_m / meters_per_degree;
    rider->lon = center_lon + east_m / (meters_per_degree * cos (center_lat * M_PI / 180));
    return (course.height_m[next] - course.height_m[low]) / length_m;
}

void
rider_init (rider_t *rider, uint64_t seed)
{
    if (!course.is_laid)
        lay_course ();
    *rider = (rider_t) { .dice = seed * 0x2545f4914f6cdd1du, .effort = 1, .speed_m_s = 0.5 };
    rider->mass_kg = 65 + 25 * dice (rider);
    rider->threshold_w = rider->mass_kg * (2.5 + 1.7 * dice (rider));
    rider->rest_bpm = 52 + 16 * dice (rider);
    rider->threshold_bpm = 160 + 18 * dice (rider);
    rider->heart_bpm = rider->rest_bpm + 30;
    place (rider);
}

static void
step (rider_t *rider)
{
    const double air = 0.5 * 1.2 * 0.32, rolling = 0.005, gravity = 9.81, drive = 0.97;
    double slope = place (rider);
    rider->effort += (1 - rider->effort) * STEP_S / 25 + (dice (rider) - 0.5) * 0.1 * sqrt (STEP_S);
    double wanted_w = rider->threshold_w * rider->effort * fmax (0.3, 0.9 + 6 * slope);
    rider->power_w += (wanted_w - rider->power_w) * STEP_S / 2;
    double weight_n = rider->mass_kg * gravity;
    double push_n = drive * rider->power_w / fmax (rider->speed_m_s, 1.5);
    double drag_n = air * rider->speed_m_s * rider->speed_m_s + weight_n * (rolling + slope);
    rider->speed_m_s = fmin (fmax (rider->speed_m_s + (push_n - drag_n) / rider->mass_kg * STEP_S, 0.5), 19);
    rider->distance_m += rider->speed_m_s * STEP_S;
    double share = rider->power_w / rider->threshold_w;
    double wanted_bpm = rider->rest_bpm + (rider->threshold_bpm - rider->rest_bpm) * (0.25 + 0.75 * share);
    rider->heart_bpm += (wanted_bpm - rider->heart_bpm) * STEP_S / 25;
    rider->cadence = 70 + 22 * fmin (share, 1.2) + 2 * rider->speed_m_s / 10;
}

void
rider_ride (rider_t *rider, double seconds)
{
    for (int i = 0; i < (int) lround (seconds / STEP_S); i++)
        step (rider);
}
