#ifndef EXAMPLES_PYTHON_KIND_ORDER_H
#define EXAMPLES_PYTHON_KIND_ORDER_H

#include <troupe.h>

extern const troupe_kind_t order;

#endif
