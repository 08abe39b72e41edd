"""What turns docs/ into a site: hooks of mkdocs, an extension of griffe, and the theme's changes."""
