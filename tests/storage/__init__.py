"""Database, migrations, encryption and blobs."""
