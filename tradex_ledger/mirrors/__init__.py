"""Copies of what readers get, for engines of others: DuckLake and Delta, each told as its publication is saved."""
