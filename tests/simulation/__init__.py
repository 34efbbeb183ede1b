"""The whole relay under made-up time and made-up trouble, repeatable from a seed."""
