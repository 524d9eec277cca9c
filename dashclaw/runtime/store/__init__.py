"""The only SQL of the project: tables, transactions, queries, migrations."""
