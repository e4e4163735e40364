"""What is counted, in each process and over all of them."""
