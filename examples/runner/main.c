/*  main.c - a durable realtime server. */

#include "runner.h"

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, &runner, &coach, NULL);
}
