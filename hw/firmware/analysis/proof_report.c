/* The unit in which Frama-C proves report.c. */
#include "report.c"

#include "contracts_wire.h"

#define PROVE_REPORT
#include "contracts_report.h"
