"""Sets of INRs in the forms of others: per-network state_dicts, and one safetensors file."""
