"""tradex-ledger: reprocessing history without fear."""

__version__ = "0.1.0"
