"""A Compose file that goes over BIAI's: the name `ollama` and port 11434 lead to the endpoint, no Ollama is started."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import yaml

from biai_xinf.endpoint import is_loopback

MARK = "# Written by `biai-xinf env --compose`"
# By this name a container reaches the machine that it runs on.
THIS_HOST = "host.docker.internal"


def compose_override(endpoint: str, *, with_key: bool) -> str:
    """The file's text. The key stands in the variable BIAI_XINF_API_KEY of who starts Compose, never in the file."""
    key = '                proxy_set_header Authorization "Bearer ${BIAI_XINF_API_KEY:?an API key of the cluster}";\n'
    return _OVERRIDE.format(mark=MARK, target=_from_a_container(endpoint), key=key if with_key else "")


def read_compose(content: bytes) -> object:
    """A Compose file as plain data, its own tags left out; ValueError where it is not YAML."""
    try:
        return yaml.load(content.decode("utf-8", "replace"), Loader=_ComposeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("is not YAML") from error


class _ComposeLoader(yaml.SafeLoader):
    """Makes no dates, of which some are none, and reads what stands behind tags it does not know, such as `!reset`."""


def _untagged(loader: _ComposeLoader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_ComposeLoader.add_constructor(None, _untagged)
_ComposeLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)


def stays_of(compose: object) -> list[str]:
    """What BIAI's own file says of its `ollama` that a second file cannot take back, and the proxy has no use for."""
    services = compose.get("services") if isinstance(compose, dict) else None
    ollama = services.get("ollama") if isinstance(services, dict) else None
    return [
        key
        for key in ("deploy", "gpus", "runtime", "devices", "entrypoint")
        if isinstance(ollama, dict) and key in ollama
    ]


def _from_a_container(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if is_loopback(endpoint):
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"{THIS_HOST}{port}")
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/" if parts.path.strip("/") else ""))


# A `$` is doubled, for Compose fills in variables here too.
_OVERRIDE = """\
{mark}: beside BIAI's docker-compose.yml, where Compose reads it by itself.
# The name `ollama` and port 11434 lead to {target}
# by a proxy in Ollama's place, and no Ollama is started.
services:
  ollama:
    image: nginx:1.28-alpine
    command:
      - sh
      - -c
      - |
        cat > /etc/nginx/conf.d/default.conf <<'END'
        server {{
            listen 11434;
            client_max_body_size 256m;
            location / {{
                proxy_pass {target};
                proxy_http_version 1.1;
                proxy_ssl_server_name on;
                proxy_set_header Host $$proxy_host;
                proxy_set_header Connection "";
{key}                # Answers stream, and a model may read for long before its first word.
                proxy_buffering off;
                proxy_request_buffering off;
                proxy_read_timeout 1h;
                proxy_send_timeout 1h;
            }}
        }}
        END
        exec nginx -g 'daemon off;'
    extra_hosts: ["host.docker.internal:host-gateway"]
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:11434/api/version"]
      interval: 10s
      timeout: 5s
      retries: 12
"""
