"""What becomes of the advice when windows are shortened, lengthened, disturbed or scaled."""
