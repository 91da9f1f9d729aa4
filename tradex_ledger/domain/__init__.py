"""The rules: pure, no I/O, no clock. Events past tense, commands imperative."""
