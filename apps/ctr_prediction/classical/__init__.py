"""The field's classical models of a click: trees on click rates, and logistic regressions."""
