"""One module per page or family of pages; each lists its `PAGES`, and is found by being here."""
