"""How long moving the gradients takes: measured, modelled, and read from NCCL's log."""
