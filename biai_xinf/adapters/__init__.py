"""What runs in an application's own process: a wing that stands on specs and state, and that only `cli` imports."""
