"""Operations: their targets and outcomes, what is asked for, what a plan of one says (requirements 5)."""
