"""Private text-to-SQL models on an Xinference cluster, behind one OpenAI endpoint."""

__version__ = "0.1.0"
