"""Dataset folders -> batches of windows, and which windows were held out."""
