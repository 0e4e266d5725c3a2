"""Reports: HTML pages in one file that need no network, with pictures in light and dark."""
