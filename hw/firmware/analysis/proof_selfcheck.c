/* The unit in which Frama-C proves selfcheck.c. */
#include "selfcheck.c"

#include "contracts_wire.h"
#include "contracts_selfcheck.h"
