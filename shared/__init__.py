"""What every app is made of: contract, prepared sets, training, evaluation, predictors. Knows no app and no data set."""
