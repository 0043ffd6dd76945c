"""What is put right or added around ministack."""
