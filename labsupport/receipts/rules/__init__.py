"""The physics rules R1 to R20, by subject: compute, memory, scaling, service, money and evidence."""
