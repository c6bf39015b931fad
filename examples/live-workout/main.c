/*  main.c - the live workout as a server. */

#include "workout.h"

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, &sensor, &session, NULL);
}
