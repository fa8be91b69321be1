"""From labelled texts to a model bundle. Needs the training extra; nothing here runs while the service serves."""
