"""From a week's source to its two notebooks, and a notebook to its executed outputs."""
