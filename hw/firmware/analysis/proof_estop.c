/* The unit in which Frama-C proves estop.c. */
#include "estop.c"

#include "contracts_wire.h"

#include "contracts_report.h"

#include "contracts_estop.h"

#include "contracts_transition.h"
