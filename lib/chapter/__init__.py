"""What a running notebook uses: its parameters, its results, tables and figures, the claims ledger."""
