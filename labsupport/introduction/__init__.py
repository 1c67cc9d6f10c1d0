"""What only week 0 uses: the self-assessment, a vendor's report to audit, and the rules that audit it."""
