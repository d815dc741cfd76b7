"""Files from elsewhere, read safely: downloads, archives, images. Whatever they hold, they do no harm."""
