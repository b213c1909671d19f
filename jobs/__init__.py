"""The batch layer: each module is `main(argv)` over past days and never asks what day it is."""
