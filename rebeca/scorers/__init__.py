"""Published models that score images: images and prompts in, numbers out."""
