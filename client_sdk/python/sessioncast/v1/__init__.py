"""The messages of the contract, as protoc makes them from proto/sessioncast/v1."""
