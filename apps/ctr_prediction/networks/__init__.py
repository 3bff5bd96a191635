"""The networks of the field, each a few parts over one embedding of the ids."""
