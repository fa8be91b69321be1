"""From a trained network to a bundle: served labels, calibration, export, int8."""
