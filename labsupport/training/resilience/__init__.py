"""What failures cost a training run and how they are noticed: intervals, goodput, stragglers, silent corruption."""
