/* The state that estop_init makes is sound, whatever the start knows: the base of the induction of estop_step's
 * contract. */
#include "proof_estop.c"
#include "wire.c"

#include "__fc_builtin.h"

int main(void)
{
    estop_state_t state;
    estop_boot_t boot;
    boot.unit = (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
    boot.image_crc = (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
    boot.boots = (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
    boot.event_number = (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
    boot.seed = (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
    boot.cause = (uint32_t)Frama_C_unsigned_int_interval(CAUSE_RAM, CAUSE_RESTART);
    estop_init(&state, &boot);
    /*@ assert sound: sound(&state); */
    /*@ assert dark: state.state == STATE_SELFTEST && state.relay_on == 0; */
    return 0;
}
