"""What a lab shows in a cell: figures, tables of words, a training run that moves."""
