"""What headers say: aliases of keywords, and what is made of their values."""
