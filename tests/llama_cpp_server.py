"""llama.cpp's own server out of the package xllamacpp, which comes without a command: MODEL PORT NAME [embedding]."""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main() -> None:
    """Serve until killed."""
    path, port, name, *embedding = sys.argv[1:]
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.port, parameters.model_alias = path, int(port), {name}
    parameters.n_parallel, parameters.n_ctx, parameters.embedding = 2, 4096, bool(embedding)
    # More would only fight over so small a model.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
