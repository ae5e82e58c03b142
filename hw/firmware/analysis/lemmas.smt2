; The lemma `mask` of contracts_estop.h over bit vectors: a mask of sixteen ones is the rest of a division by 2^16.
; z3 looks for a word for which that is wrong; `unsat` means that there is none.
(set-logic QF_BV)
(declare-const x (_ BitVec 32))
(assert (not (= (bvand x #x0000FFFF) (bvurem x #x00010000))))
(check-sat)
