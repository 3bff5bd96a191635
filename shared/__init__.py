"""What apps are made of: contract, prepared sets, training, evaluation, predictors. Knows no app and no data set."""
