"""The governance engine: policies, actions, approvals and evidence over SQL, without any web framework."""
