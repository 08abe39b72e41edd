"""Image encoders: images to vectors."""
