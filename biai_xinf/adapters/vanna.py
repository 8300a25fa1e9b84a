"""Vanna's language model, served by the endpoint: a mixin that takes the place of `vanna.ollama.Ollama`.

    class MyVanna(ChromaDB_VectorStore, XinferenceChat):
        def __init__(self, config=None):
            ChromaDB_VectorStore.__init__(self, config=config)
            XinferenceChat.__init__(self, config=config)

For Vanna 0.7, and for the `vanna.legacy` of Vanna 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from biai_xinf import prompting
from biai_xinf.adapters.fallback import answer_tokens, find_all, is_gone, next_may_answer, nothing_said, spoken
from biai_xinf.adapters.openai import Endpoint, openai
from biai_xinf.adapters.served import Served
from biai_xinf.adapters.sqlgate import Gate
from biai_xinf.adapters.vanna_prompt import Budget, by_contract
from biai_xinf.errors import MissingExtra, QuestionFailed
from biai_xinf.specs import SqlSpec

try:
    from vanna.base import VannaBase
except ImportError:
    try:
        from vanna.legacy.base import VannaBase
    except ImportError as error:
        hint = "pip install 'biai-xinf[vanna]', or 'biai-xinf[vanna2]' for Vanna 2"
        raise MissingExtra(f"Vanna cannot be imported: {error}", hint=hint) from error

Messages = Sequence[Mapping[str, str]]

# As long as Vanna's own clients wait.
TIMEOUT_S = 240.0


class Settings(BaseModel):
    """What we read of Vanna's config, which holds the keys of the vector store and of Vanna itself as well.

    - `model`: a role, a spec or a uid; `fallback_models` are asked, in their order, where it cannot answer
    - `endpoint` (or `base_url`), `api_key`, `cluster`, `timeout`, `max_retries`: as for `openai.Endpoint`
    - `temperature`; `answer_tokens`, the most an answer may have (`max_tokens` is Vanna's limit for prompts)
    - `gate`: what SQL has to pass; SqlRefused where it does not
    """

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True, protected_namespaces=())

    model: str = "sql"
    fallback_models: tuple[str, ...] = ()
    endpoint: str | None = None
    base_url: str | None = None
    api_key: str | None = Field(None, repr=False)
    cluster: str | None = None
    timeout: float = Field(TIMEOUT_S, gt=0)
    max_retries: int = Field(2, ge=0)
    temperature: float = Field(0.0, ge=0, le=2)
    answer_tokens: int | None = Field(None, gt=0)
    initial_prompt: str | None = None
    gate: Gate | None = None


class XinferenceChat(VannaBase):  # type: ignore[misc]  # Vanna has no types
    """Asks a model of the endpoint; `config` may hold what Settings says, and Vanna's own keys.

    Nothing is asked before the first question: an application may make one for each.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        VannaBase.__init__(self, config=config)
        self._settings = settings = _read(config or {})
        self._endpoint = Endpoint(
            settings.endpoint or settings.base_url,
            settings.api_key,
            settings.cluster,
            settings.timeout,
            settings.max_retries,
        )
        self._connected: tuple[openai.OpenAI, Sequence[Served]] | None = None

    def submit_prompt(self, prompt: str | Messages, **kwargs: Any) -> str:
        """What the model says to messages, or to one message, without its reasoning; `model` asks another one.

        The next model is asked where one cannot be reached, fails, takes too long or is gone; never where the request
        itself is wrong. QuestionFailed where nothing was said.
        """
        if not prompt:
            raise ValueError("the prompt is empty")
        messages = [self.user_message(prompt)] if isinstance(prompt, str) else list(prompt)
        client, models = self._connection()
        if kwargs.get("model"):
            models = [Served(kwargs["model"])]
        failures: list[openai.APIError] = []
        for served in models:
            try:
                return self._ask(client, served, messages)
            except openai.APIError as error:
                if is_gone(error):
                    # Another model may serve the role by now.
                    self._connected = None
                if not next_may_answer(error):
                    raise
                failures.append(error)
        raise failures[0]

    def extract_sql(self, llm_response: str) -> str:
        """The one query of an answer, without comments and `;`; the words themselves where there is none.

        So Vanna means it: `is_sql_valid` tells them apart, and shows the words. QuestionFailed where what the model
        said instead would change something. With a gate, the query as it passed; SqlRefused where it did not.
        """
        if self._settings.gate is not None:
            return self._settings.gate.check(llm_response).sql
        if query := prompting.extract_sql(llm_response):
            return prompting.without_comments(query)
        if others := prompting.statements(llm_response):
            raise QuestionFailed("the model answered with a statement that is no query", details=others[0].splitlines())
        return prompting.without_thinking(llm_response).strip()

    def is_sql_valid(self, sql: str) -> bool:
        """Whether it is a query; a sentence that begins with "Select" is none."""
        return super().is_sql_valid(sql) and prompting.extract_sql(sql) is not None

    def get_sql_prompt(
        self,
        initial_prompt: str | None,
        question: str,
        question_sql_list: list[Any],
        ddl_list: list[Any],
        doc_list: list[Any],
        **kwargs: Any,
    ) -> Any:
        """The question as its model was trained to read it: by its spec's contract, with what was found and fits.

        Vanna's own prompt where the application has an `initial_prompt`, or where no spec tells how the model is asked.
        """
        _, models = self._connection()
        served = models[0]
        spec = served.spec
        if initial_prompt or not isinstance(spec, SqlSpec):
            return super().get_sql_prompt(initial_prompt, question, question_sql_list, ddl_list, doc_list, **kwargs)
        examples = [one for one in question_sql_list if one and "question" in one and "sql" in one]
        texts = [*doc_list, *([self.static_documentation] if self.static_documentation else [])]
        ask = partial(by_contract, spec.prompt, self.dialect, question)
        spent = sum(len(message["content"]) for message in ask([], [], []))
        answer = answer_tokens(served, self._settings.answer_tokens)
        budget = Budget(self.max_tokens, served.context, answer, spent)
        return ask(budget.of(ddl_list), budget.of(texts), budget.of_examples(examples))

    def system_message(self, message: str) -> dict[str, str]:
        """A message of whoever set the model up."""
        return {"role": "system", "content": message}

    def user_message(self, message: str) -> dict[str, str]:
        """A message of the person who asks."""
        return {"role": "user", "content": message}

    def assistant_message(self, message: str) -> dict[str, str]:
        """A message of the model itself."""
        return {"role": "assistant", "content": message}

    def log(self, message: str, title: str = "Info") -> None:
        """Nothing: Vanna would print whole prompts, with the schema and whatever rows are in them."""

    def _connection(self) -> tuple[openai.OpenAI, Sequence[Served]]:
        """A client, and those models that are served, the wanted one first; NotFound where none is."""
        if self._connected is None:
            client = self._endpoint.xinference()
            names = (self._settings.model, *self._settings.fallback_models)
            self._connected = self._endpoint.sync_client(client), find_all(client, names)
        return self._connected

    def _ask(self, client: openai.OpenAI, served: Served, messages: Sequence[Any]) -> str:
        tokens = answer_tokens(served, self._settings.answer_tokens)
        answer = client.chat.completions.create(
            model=served.uid, messages=list(messages), temperature=self._settings.temperature, max_tokens=tokens
        )
        choice = answer.choices[0]
        if said := spoken(served, choice.message.content or ""):
            return said
        raise nothing_said(served, tokens, choice.finish_reason, "`answer_tokens` in Vanna's config")


def _read(config: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"Vanna's config: {where}: {first['msg']}") from None
