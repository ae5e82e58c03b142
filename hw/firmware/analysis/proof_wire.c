/* The unit in which Frama-C proves wire.c. */
#include "wire.c"

#define PROVE_WIRE
#include "contracts_wire.h"
