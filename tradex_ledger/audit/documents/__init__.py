"""What can be asked of a workspace, as documents: typed values with one form as JSON, whoever shows them."""
