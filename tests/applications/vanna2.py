"""An application on Vanna 2: its agent asks a model of the endpoint, its tool runs the SQL, its memory finds it again.

Prints as JSON what its databases answered. Runs in an environment of its own (tests/integration/test_vanna.py).
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from vanna import Agent, AgentConfig, ToolRegistry
from vanna.capabilities.sql_runner import RunSqlToolArgs, SqlRunner
from vanna.core.llm import LlmMessage, LlmRequest
from vanna.core.tool import ToolContext
from vanna.core.user import RequestContext, User, UserResolver
from vanna.integrations.chromadb import ChromaAgentMemory
from vanna.integrations.local import LocalFileSystem
from vanna.integrations.postgres import PostgresRunner
from vanna.integrations.sqlite import SqliteRunner
from vanna.tools import RunSqlTool

from biai_xinf import prompting
from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction
from biai_xinf.adapters.vanna2 import XinferenceLlmService

USER = User(id="analyst", group_memberships=["user"])


class Anybody(UserResolver):
    """Everyone is the same."""

    async def resolve_user(self, request_context: RequestContext) -> User:
        return USER


async def main(embedder: str, folder: str, sqlite: str, postgres: str, questions: list[str]) -> None:
    """Ask all questions, and run what comes back on both databases."""
    memory = ChromaAgentMemory(f"{folder}/memory", "tools", XinferenceEmbeddingFunction(embedder))
    llm = XinferenceLlmService("sql")
    context = ToolContext(user=USER, conversation_id="1", request_id="1", agent_memory=memory)
    runners: dict[str, SqlRunner] = {"sqlite": SqliteRunner(sqlite), "postgres": PostgresRunner(postgres)}
    found: dict[str, Any] = {name: {} for name in runners}
    for question in questions:
        whole = prompting.extract_sql(await asked(llm, question))
        assert whole == prompting.extract_sql(await streamed(llm, question))
        assert whole == prompting.extract_sql(await said_by_agent(llm, memory, question))
        for name, runner in runners.items():
            tool = RunSqlTool(sql_runner=runner, file_system=LocalFileSystem(folder))
            result = await tool.execute(context, RunSqlToolArgs(sql=whole))
            rows = [list(row.values()) for row in result.metadata["results"]] if result.success else None
            found[name][question] = {"sql": whole, "rows": rows}
        await memory.save_tool_usage(question, "run_sql", {"sql": whole}, context)
    (nearest, *_) = await memory.search_similar_usage("Number of customers?", context, similarity_threshold=0)
    print(json.dumps({**found, "nearest": nearest.memory.question}, default=float))


async def asked(llm: XinferenceLlmService, question: str) -> str:
    """The whole answer at once."""
    request = LlmRequest(messages=[LlmMessage(role="user", content=question)], user=USER)
    return (await llm.send_request(request)).content or ""


async def streamed(llm: XinferenceLlmService, question: str) -> str:
    """The answer in pieces."""
    request = LlmRequest(messages=[LlmMessage(role="user", content=question)], user=USER, stream=True)
    return "".join([chunk.content or "" async for chunk in llm.stream_request(request)])


async def said_by_agent(llm: XinferenceLlmService, memory: ChromaAgentMemory, question: str) -> str:
    """What an agent without tools says: the demonstration model was never taught to call any."""
    agent = Agent(
        llm_service=llm,
        tool_registry=ToolRegistry(),
        user_resolver=Anybody(),
        agent_memory=memory,
        config=AgentConfig(),
    )
    parts = [part async for part in agent.send_message(RequestContext(), question)]
    return "\n".join(part.simple_component.text for part in parts if part.simple_component)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
