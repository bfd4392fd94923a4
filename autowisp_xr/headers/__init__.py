"""What headers state: aliases of keywords, and what is made of their values."""
