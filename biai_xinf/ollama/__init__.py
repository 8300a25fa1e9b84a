"""Models of an Ollama on this machine, served from where they lie."""
