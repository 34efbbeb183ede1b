"""The HTML of Matrix messages to styled spans (`read`), and back (`write`)."""

from bridge.matrix.dialect.addresses import safe_link
from bridge.matrix.dialect.html_lines import LIMIT
from bridge.matrix.dialect.html_reader import Read, read
from bridge.matrix.dialect.html_writer import write

FORMAT = "org.matrix.custom.html"

__all__ = ["FORMAT", "LIMIT", "Read", "read", "safe_link", "write"]
