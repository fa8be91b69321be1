"""The page for moderators: plain files, and the routes that serve them."""
