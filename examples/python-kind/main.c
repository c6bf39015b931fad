/*  main.c - a shop whose prices come from Python. */

#include "order.h"

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, &order, NULL);
}
