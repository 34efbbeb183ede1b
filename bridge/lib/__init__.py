"""Small mechanisms without a word of chat in them."""
