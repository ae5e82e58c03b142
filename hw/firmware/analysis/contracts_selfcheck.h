/* What selfcheck.c promises, in ACSL. proof_selfcheck.c includes it behind the source; only Frama-C reads it. */
#ifndef CONTRACTS_SELFCHECK_H
#define CONTRACTS_SELFCHECK_H

/*@ predicate inside{L}(selfcheck_t *check) =
      check->at <= check->length &&
      (check->length > 0 ==> \valid_read(check->image + (0 .. check->length - 1)));

    // The record is not part of the image that it reads.
    predicate apart{L}(selfcheck_t *check) =
      check->length > 0 ==> \separated(check, check->image + (0 .. check->length - 1));
*/

/*@ requires count > 0 ==> \valid(words + (0 .. count - 1));
    assigns words[0 .. count - 1]; */
static bool march(volatile uint32_t *words, uint32_t count, bool up, uint32_t was, uint32_t next);

/*@ requires count > 0 ==> \valid(words + (0 .. count - 1));
    assigns words[0 .. count - 1]; */
bool selfcheck_ram(volatile uint32_t *words, uint32_t count);

/*@ requires \valid(check);
    requires length > 0 ==> \valid_read(image + (0 .. length - 1)) && \separated(check, image + (0 .. length - 1));
    assigns *check;
    ensures inside: inside(check) && apart(check); */
void selfcheck_init(selfcheck_t *check, const uint8_t *image, uint32_t length, uint32_t expected);

/*@ requires \valid(check) && inside(check) && apart(check);
    assigns check->at, check->crc;
    ensures inside: inside(check) && apart(check);
    ensures results: \result == before || \result == CHECK_PASSED || \result == CHECK_PROGRAM;
    ensures failure_stays: before == CHECK_PROGRAM || before == CHECK_RAM ==> \result != CHECK_PASSED;
    ensures passes_at_the_end: before == CHECK_RUNNING && \result == CHECK_PASSED ==> check->at == 0; */
estop_check_t selfcheck_program(selfcheck_t *check, estop_check_t before);

#endif
