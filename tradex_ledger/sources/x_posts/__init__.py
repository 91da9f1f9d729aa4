"""What is delivered of X: posts, and what comes among them."""
