"""HTML reports: one file that needs no network, with pictures for light and dark mode."""
