"""What a dataset is: one SQL file with a header; what it reads, and what reads it."""
