//! Fixtures for tests: a real anvil, deployments by the same script that users run.
