"""The live path: sources are collected into Kafka, archived record by record, and counted at once."""
