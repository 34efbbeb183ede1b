"""What the trained brain is made of: it reads corpora and learns arrays. A model is arrays and text, no code."""
