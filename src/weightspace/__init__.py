"""Learning on the weights of neural networks, and making it generalise."""
