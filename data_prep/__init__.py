"""From the raw files of the world to prepared sets, one module per data set; `python -m data_prep` lists them."""
