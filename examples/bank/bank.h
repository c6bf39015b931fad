/*  bank.h - the kind of this example, for its server and its tests. */
#ifndef EXAMPLES_BANK_BANK_H
#define EXAMPLES_BANK_BANK_H

#include <troupe.h>

extern const troupe_kind_t account;

#endif
