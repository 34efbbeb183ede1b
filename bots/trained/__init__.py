"""What the trained brain is made of: it reads corpora and learns arrays from them. A model is arrays and text, no code."""
