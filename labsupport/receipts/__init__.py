"""Where a number comes from: the receipt, the ledger it is written to, how it is shown, and whether it can be true."""
