"""What a model of Ollama's store becomes: role, context, defaults, what is lost, and how its weights are held."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest

from biai_xinf.catalogue import load_catalogue, load_entry
from biai_xinf.errors import BadFile, CannotImport
from biai_xinf.needs import need_of
from biai_xinf.ollama import imported
from biai_xinf.ollama.importing import Import, plan_import
from biai_xinf.ollama.model import spec_name, uid_of
from biai_xinf.ollama.store import Store
from biai_xinf.specs import ChatSpec, EmbeddingSpec, SqlSpec
from tests import tiny_models
from tests.commandline import Result, run
from tests.ollama_stores import OllamaStore
from tests.tiny_models import tiny_embedding_gguf, tiny_llm_gguf

TAG = "qwen2.5-coder:7b-instruct-q4_K_M"
Change = Callable[[gguf.GGUFWriter], None]


@pytest.fixture
def store(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "models")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tiny_llm_gguf(tmp_path)


def planned(store: OllamaStore, tag: str, **wish: Any) -> Import:
    return plan_import(Store(store.folder).read(tag), load_catalogue(), **wish)


def refusal(store: OllamaStore, tag: str = "coder", **wish: Any) -> CannotImport:
    with pytest.raises(CannotImport) as refused:
        planned(store, tag, **wish)
    return refused.value


def llm_with(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Change, **replaced: Any) -> Path:
    """A tiny model whose header is changed before it is written."""
    write = gguf.GGUFWriter.write_header_to_file

    def changed(writer: gguf.GGUFWriter, *words: Any) -> None:
        change(writer)
        write(writer, *words)

    with monkeypatch.context() as patch:
        patch.setattr(gguf.GGUFWriter, "write_header_to_file", changed)
        for name, value in replaced.items():
            patch.setattr(gguf.GGUFWriter, name, value)
        return tiny_llm_gguf(folder)


# What it stands for


@pytest.mark.parametrize(
    ("tag", "role", "stands_for", "because"),
    [
        (TAG, "sql", "sql-coder", "`sql-coder` names this tag"),
        ("qwen2.5-coder:14b", "sql", "sql-coder", "`sql-coder` names other tags of `qwen2.5-coder`"),
        ("qwen3:4b-instruct", "narrator", "narrator", "`narrator` names this tag"),
        ("qwen3:32b", "chat", None, "no spec of ours names it"),
        ("llama3.2", "chat", None, "no spec of ours names it"),
    ],
)
def test_its_role_is_that_of_the_spec_that_names_it(
    store: OllamaStore, weights: Path, tag: str, role: str, stands_for: str | None, because: str
) -> None:
    store.put(tag, weights)

    one = planned(store, tag)

    assert (one.spec.role, one.stands_for, one.because) == (role, stands_for, because)


def test_a_sql_model_takes_prompt_and_probe_of_the_spec_it_stands_for(store: OllamaStore, weights: Path) -> None:
    store.put(TAG, weights)
    ours = load_catalogue()["sql-coder"].spec

    spec = planned(store, TAG).spec

    assert isinstance(spec, SqlSpec)
    assert isinstance(ours, SqlSpec)
    assert (spec.prompt, spec.probe, spec.languages) == (ours.prompt, ours.probe, ours.languages)
    assert spec.ollama_tags == [TAG]


def test_a_role_can_be_chosen(store: OllamaStore, weights: Path) -> None:
    store.put("llama3.2", weights)
    store.put(TAG, weights)

    sql, narrator = planned(store, "llama3.2", role="sql"), planned(store, TAG, role="narrator")

    assert (sql.spec.role, sql.stands_for) == ("sql", "sql-coder")
    assert (narrator.spec.role, narrator.stands_for) == ("narrator", "narrator")
    assert refusal(store, TAG, role="embedding").code == "role"


def test_a_model_that_nobody_knows_is_asked_something_that_has_an_answer(store: OllamaStore, weights: Path) -> None:
    store.put("llama3.2", weights)

    spec = planned(store, "llama3.2").spec

    assert isinstance(spec, ChatSpec)
    assert (spec.probe.expect, spec.license) == (["paris"], "as its publisher says")


def test_an_embedding_model_is_pooled_as_its_file_says(store: OllamaStore, tmp_path: Path) -> None:
    store.put("nomic-embed-text", tiny_embedding_gguf(tmp_path), params={"num_ctx": 8192})

    one = planned(store, "nomic-embed-text")

    assert isinstance(one.spec, EmbeddingSpec)
    assert (one.spec.pooling, one.spec.query_prefix, one.spec.probe.dimensions) == ("mean", "search_query: ", 32)
    options = one.spec.recipes[0].model_dump()["engine_options"]
    assert options == {"pooling_type": 1, "n_parallel": 2, "n_ctx": 1024, "n_batch": 512, "n_ubatch": 512}
    assert one.carried[0] == "context 512, not 8192: it was trained for no more"
    assert refusal(store, "nomic-embed-text", role="sql").code == "role"


def test_an_embedding_model_that_does_not_say_how_it_is_pooled(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf.GGUFWriter, "add_pooling_type", lambda writer, kind: None)
    store.put("mystery", tiny_embedding_gguf(tmp_path))
    store.put("bge-m3", tiny_embedding_gguf(tmp_path))

    assert refusal(store, "mystery").code == "pooling"
    # Our spec says it.
    assert planned(store, "bge-m3").written["pooling"] == "cls"


def test_a_reranker_is_none_of_ollamas_models(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = gguf.GGUFWriter.add_pooling_type
    monkeypatch.setattr(gguf.GGUFWriter, "add_pooling_type", lambda writer, kind: add(writer, gguf.PoolingType.RANK))
    store.put("ranker", tiny_embedding_gguf(tmp_path))

    assert refusal(store, "ranker").code == "reranker"


# What of it is refused


def test_an_architecture_that_llama_cpp_does_not_know(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = llm_with(tmp_path, monkeypatch, lambda writer: writer.add_string("general.architecture", "gptoss"))
    store.put("coder", weights)

    assert refusal(store).message == "`coder:latest` has the architecture `gptoss`, which llama.cpp does not know"


def test_weights_that_only_ollamas_engine_loads(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def see(writer: gguf.GGUFWriter) -> None:
        writer.add_tensor("v.patch_embd.weight", tiny_models.np.zeros((32, 32), tiny_models.np.float16))

    store.put("coder", llm_with(tmp_path, monkeypatch, see))

    assert refusal(store).code == "vision"


def test_a_part_of_a_split_model(store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("coder", llm_with(tmp_path, monkeypatch, lambda writer: writer.add_uint16("split.count", 2)))

    assert refusal(store).code == "split"


def test_a_header_that_is_damaged(store: OllamaStore, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(weights.read_bytes()[:2000])
    store.put("coder", tmp_path / "damaged")

    assert refusal(store).message == "`coder:latest`: its GGUF file is damaged, or its end is missing"


@pytest.mark.parametrize(
    ("template", "refused"), [("<|im_start|>{{ .Role }}", False), ("[INST] {{ .Prompt }}", True), (None, True)]
)
def test_without_a_template_in_the_file_only_chatml_is_right(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str | None, refused: bool
) -> None:
    weights = llm_with(tmp_path, monkeypatch, lambda writer: None, add_chat_template=lambda writer, text: None)
    store.put("coder", weights, **({"template": template} if template else {}))

    if refused:
        assert refusal(store).code == "template"
    else:
        assert any("Ollama's is ChatML" in line for line in planned(store, "coder").carried)


def test_the_template_of_our_spec_stands_in_where_it_has_one(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = llm_with(tmp_path, monkeypatch, lambda writer: None, add_chat_template=lambda writer, text: None)
    store.put("Arctic-Text2SQL-R1-7B", weights, under="registry.ollama.ai/a-kore")

    one = planned(store, "a-kore/Arctic-Text2SQL-R1-7B")

    assert one.stands_for == "arctic-text2sql-r1"
    assert "Let me solve this step by step" in one.registration["chat_template"]
    assert (one.uid, one.spec.name) == ("a-kore-Arctic-Text2SQL-R1-7B:latest", "a-kore-arctic-text2sql-r1-7b-latest")


# Context, defaults, and what is lost


@pytest.mark.parametrize(
    ("trained", "params", "asked", "contexts", "said"),
    [
        (32768, {}, None, [16384, 8192], "context 16384, or 8192 where memory is short: it sets no num_ctx"),
        (32768, {"num_ctx": 4096}, None, [4096], "context 4096, its num_ctx"),
        (32768, {"num_ctx": 4096}, 20000, [20000], "context 20000, as you say"),
        (2048, {"num_ctx": 4096}, None, [2048], "context 2048, not 4096: it was trained for no more"),
        (2048, {}, None, [2048], "context 2048, all it was trained for"),
        (8192, {"num_ctx": "many"}, None, [8192], "context 8192: it sets no num_ctx"),
    ],
)
def test_the_context_is_the_models_or_one_that_is_enough(
    store: OllamaStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: int,
    params: dict[str, Any],
    asked: int | None,
    contexts: list[int],
    said: str,
) -> None:
    monkeypatch.setattr(tiny_models, "CONTEXT", trained)
    store.put("coder", tiny_llm_gguf(tmp_path), params=params)

    one = planned(store, "coder", context=asked)

    assert list(dict.fromkeys(recipe.requires.context for recipe in one.spec.recipes)) == contexts
    assert one.carried[0].startswith(said)


def test_a_chat_model_keeps_ollamas_sampling_and_a_sql_model_the_roles(store: OllamaStore, weights: Path) -> None:
    params = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "stop": "<end>", "num_predict": 256, "seed": 0}
    store.put("llama3.2", weights, params=params)
    store.put(TAG, weights, params=params)

    chat, sql = planned(store, "llama3.2"), planned(store, TAG)

    sampling = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "seed": 0}
    assert chat.spec.defaults == {**sampling, "stop": ["<end>"], "max_tokens": 256}
    assert sql.spec.defaults == {"stop": ["<end>"], "max_tokens": 512, "temperature": 0}
    assert "temperature 0.7, top_p 0.8, top_k 20, seed 0: SQL is asked without chance" in sql.lost


def test_a_number_that_json_does_not_know_is_told_and_not_carried(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights, params='{"temperature": NaN, "top_p": 1e999}')

    one = planned(store, "coder")

    assert one.spec.defaults == {}
    assert one.lost == ("temperature nan, top_p inf: no value that an engine knows",)


def test_what_cannot_be_carried_is_told_in_a_sentence_each(store: OllamaStore, weights: Path, tmp_path: Path) -> None:
    params = {"repeat_penalty": 1.1, "min_p": 0.1, "num_gpu": 99, "num_thread": 4, "top_k": 0, "temperature": "hot"}
    store.put("llava", weights, params=params, template="{{ .X }}", system="Be kind.", projector="clip", messages="[]")

    assert planned(store, "llava").lost == (
        "template: Ollama's is written in Go, which llama.cpp does not read",
        "system prompt: the endpoint adds none; put it into your messages",
        "pictures: its projector is not loaded, so it reads text only",
        "example messages: put them before your own",
        "min_p, repeat_penalty: Xinference 4.1 passes nothing of it to llama.cpp",
        "temperature hot, top_k 0: no value that an engine knows",
        "num_gpu, num_thread: the plan decides where and how it runs",
    )


def test_thinking_and_tools_are_told_to_xinference(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{% if tools %}<tool_call>{% endif %}{% if enable_thinking %}{% endif %}<|im_start|>"
    monkeypatch.setattr(tiny_models, "CHATML", template)
    store.put("qwen3:32b", tiny_llm_gguf(tmp_path))

    one = planned(store, "qwen3:32b")

    assert one.registration["model_ability"] == ["chat", "tools", "reasoning", "hybrid"]
    assert (one.registration["model_family"], one.registration["tool_parser"]) == ("qwen2.5-instruct", "qwen")
    assert one.spec.recipes[0].model_dump()["engine_options"]["enable_thinking"] is False


def test_the_memory_of_an_unknown_shape_is_bounded_by_the_file(
    store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # llama.cpp knows it, and we have no shape of it.
    weights = llm_with(tmp_path, monkeypatch, lambda writer: writer.add_string("general.architecture", "granite"))
    store.put("granite", weights)

    requires = planned(store, "granite").spec.recipes[0].requires

    assert (requires.gpus, requires.vram is not None and requires.vram > weights.stat().st_size) == (1, True)


@pytest.mark.parametrize(
    ("tag", "uid", "name"),
    [
        (TAG, TAG, "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("bge-m3:latest", "bge-m3:latest", "bge-m3-latest"),
        ("hf.co/unsloth/Qwen3-GGUF:Q4_K_M", "hf.co-unsloth-Qwen3-GGUF:Q4_K_M", "hf.co-unsloth-qwen3-gguf-q4_k_m"),
    ],
)
def test_uid_and_spec_are_named_after_the_tag(tag: str, uid: str, name: str) -> None:
    assert (uid_of(tag), spec_name(tag)) == (uid, name)


def test_long_names_that_are_cut_stay_apart() -> None:
    one = "hf.co/mradermacher/Huihui-Qwen3-Coder-30B-A3B-Instruct-abliterated-i1-GGUF:Q4_K_M"
    other = one.replace("Q4_K_M", "Q4_K_S")
    longer = "hf.co/" + "x" * 100

    assert spec_name(one) == "hf.co-mradermacher-huihui-qwen3-coder-30b-a3b-instruct-abliterated-i1-g-6bcc737c"
    assert len(spec_name(one)) == 80
    assert spec_name(other) != spec_name(one) == spec_name(one.upper())
    assert len(uid_of(longer + ":q4_K_M")) == 100
    assert uid_of(longer + ":q4_K_M") != uid_of(longer + ":q4_K_S")
    assert spec_name("x" * 78 + ":1") == "x" * 78 + "-1"


def test_a_tag_that_nothing_can_be_named_after(store: OllamaStore, weights: Path) -> None:
    store.put("_:_", weights)

    assert (refusal(store, "_:_").code, refusal(store, "_:_").message, refusal(store, "_:_").hint) == (
        "no-name",
        "`_:_` has no letter or digit that a spec could be named after",
        "`ollama cp _:_ NAME` gives it a name, import that one",
    )


# What is written


def test_the_weights_are_one_more_name_of_the_blob_and_no_byte_is_copied(
    store: OllamaStore, weights: Path, own_home: Path
) -> None:
    blob = store.put(TAG, weights)
    one = planned(store, TAG)

    held = imported.write(one)

    assert (held.how, held.weights.stat().st_ino, blob.stat().st_nlink) == ("hard", blob.stat().st_ino, 2)
    entry = imported.as_imported(one).entry()
    assert entry.spec == one.spec
    recipe = entry.recipe("cpu")
    assert (recipe.ships_with_us, entry.model_path(recipe)) == (True, str(held.weights))  # type: ignore[union-attr]
    assert need_of(entry, recipe).memory > weights.stat().st_size  # type: ignore[arg-type]
    assert entry.registrations["cpu"]["model_name"] == one.model_name


def test_what_ollama_removes_stays(store: OllamaStore, weights: Path) -> None:
    store.put(TAG, weights)
    one = planned(store, TAG)
    held = imported.write(one)

    store.remove(TAG)

    assert held.weights.read_bytes() == weights.read_bytes()
    assert imported.find_imported(TAG.upper()) == imported.as_imported(one)


def test_writing_twice_changes_nothing_and_what_a_person_changed_stays_theirs(
    store: OllamaStore, weights: Path, own_home: Path
) -> None:
    store.put(TAG, weights)
    one = planned(store, TAG)
    assert not imported.is_written(one)
    imported.write(one)
    before = {path: path.stat().st_mtime_ns for path in own_home.rglob("*")}

    assert imported.is_written(one)
    imported.write(one)

    assert {path: path.stat().st_mtime_ns for path in own_home.rglob("*")} == before
    path = imported.as_imported(one).path
    path.write_text(path.read_text().replace("max_tokens: 512", "max_tokens: 256"))
    assert imported.is_written(planned(store, TAG))


def test_a_tag_that_was_pulled_again_gets_its_new_weights(store: OllamaStore, weights: Path, own_home: Path) -> None:
    store.put("coder", weights)
    first = planned(store, "coder")
    imported.write(first)
    store.put("coder", tiny_llm_gguf(weights.parent, terse=True))
    second = planned(store, "coder")

    assert (imported.is_written(second), imported.has_other_weights(second)) == (False, True)
    imported.write(second)
    (dropped,) = imported.drop_older(second)

    assert first.model_name != second.model_name
    assert dropped.name == first.model_name
    assert [path.name for path in (own_home / "specs" / "ollama").iterdir()] == [second.model_name]


def test_a_folder_that_may_be_another_tags_is_not_dropped(store: OllamaStore, weights: Path, own_home: Path) -> None:
    store.put("coder", weights)
    imported.write(planned(store, "coder"))
    folders = own_home / "specs" / "ollama"
    told = {
        "0" * 12: {"biai": {"managed_by": "biai-xinf", "ollama_tag": "coder-latest:1"}},
        "1" * 12: {"biai": {"managed_by": "biai-xinf"}},
        "2" * 12: [],
    }
    for digest, registration in told.items():
        (folders / f"coder-latest-{digest}").mkdir()
        (folders / f"coder-latest-{digest}" / "registration.json").write_text(json.dumps(registration))
    (folders / f"coder-latest-{'3' * 12}").mkdir()

    assert imported.drop_older(planned(store, "coder")) == []
    assert len(list(folders.iterdir())) == 5


def cross_device(*words: Any, **more: Any) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_where_no_hard_link_can_be_made_the_blob_is_used_where_it_lies(
    store: OllamaStore, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = store.put(TAG, weights)
    one = planned(store, TAG)
    monkeypatch.setattr(os, "link", cross_device)

    held = imported.write(one)

    assert (held.how, held.weights, held.reason) == ("in-place", blob, "Invalid cross-device link")
    assert blob.stat().st_nlink == 1
    entry = imported.as_imported(one).entry()
    assert entry.model_path(entry.recipe("cpu")) == str(blob)  # type: ignore[arg-type]
    assert (imported.is_written(one), imported.held(one).how) == (True, "in-place")
    store.remove(TAG)
    with pytest.raises(BadFile, match="is not there"):
        imported.as_imported(one).entry()


@pytest.fixture
def on_another_filesystem(store: OllamaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hard links can be made in the store alone."""
    link = os.link

    def same_folder_only(source: Path, target: Path) -> None:
        if store.folder not in Path(target).parents:
            cross_device()
        link(source, target)

    monkeypatch.setattr(os, "link", same_folder_only)


def test_the_link_in_the_store_stays_while_another_tag_has_the_same_weights(
    store: OllamaStore, weights: Path, on_another_filesystem: None
) -> None:
    other_weights = tiny_llm_gguf(weights.parent, "other.gguf", terse=True)
    anchors = []
    for tag in ("coder", "copy"):
        store.put(tag, weights)
        anchors.append(imported.write(planned(store, tag)).weights)
    assert anchors[0] == anchors[1]

    store.put("coder", other_weights)
    imported.write(planned(store, "coder"))
    (dropped,) = imported.drop_older(planned(store, "coder"))

    assert (dropped.exists(), anchors[0].exists()) == (False, True)
    assert imported.is_written(planned(store, "copy"))

    store.put("copy", other_weights)
    imported.write(planned(store, "copy"))
    imported.drop_older(planned(store, "copy"))

    assert not anchors[0].exists()


def test_on_another_filesystem_the_link_is_made_in_the_store(
    store: OllamaStore, weights: Path, on_another_filesystem: None
) -> None:
    blob = store.put(TAG, weights)
    one = planned(store, TAG)

    held = imported.write(one)

    assert (held.how, held.weights.parent, blob.stat().st_nlink) == ("hard", store.folder / "biai-xinf", 2)
    store.remove(TAG)
    entry = imported.as_imported(one).entry()
    assert entry.model_path(entry.recipe("cpu")) == str(held.weights)  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second filesystem")
def test_a_store_on_a_real_second_filesystem(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path("/dev/shm") / tmp_path_factory.mktemp("store").name
    try:
        store = OllamaStore(folder)
        blob = store.put(TAG, weights)
        if blob.stat().st_dev == weights.stat().st_dev:
            pytest.skip("/dev/shm is on the same filesystem")
        one = planned(store, TAG)

        held = imported.write(one)

        assert (held.how, held.weights.stat().st_ino) == ("hard", blob.stat().st_ino)
        assert imported.as_imported(one).entry().spec == one.spec
    finally:
        imported.shutil.rmtree(folder, ignore_errors=True)


def test_a_spec_of_a_persons_own_is_not_written_over(store: OllamaStore, weights: Path, own_home: Path) -> None:
    store.put(TAG, weights)
    one = planned(store, TAG)
    (own_home / "specs").mkdir()
    path = own_home / "specs" / f"{one.spec.name}.yaml"
    path.write_text("name: mine\n")

    with pytest.raises(CannotImport, match="would be written to") as refused:
        imported.write(one)

    assert (refused.value.code, path.read_text()) == ("name-taken", "name: mine\n")


def test_a_spec_of_ours_is_not_hidden_by_an_import(store: OllamaStore, weights: Path) -> None:
    store.put("sql:coder", weights)

    with pytest.raises(CannotImport) as refused:
        imported.write(planned(store, "sql:coder"))

    assert refused.value.code == "name-taken"
    assert refused.value.message == "`sql:coder` would be named `sql-coder` here, as a spec of ours is"


SAME_NAMES = pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("deepseek-coder:6.7b", "deepseek:coder-6.7b", "deepseek-coder-6.7b"),
        ("foo-bar:1", "foo/bar:1", "foo-bar:1"),
        # Their specs are apart by a hash, their uids need none.
        (f"foo-{'x' * 80}:1", f"foo/{'x' * 80}:1", f"foo-{'x' * 80}:1"),
    ],
    ids=["spec", "uid", "uid alone"],
)


def put_both(store: OllamaStore, weights: Path, *tags: str) -> None:
    """Two models with weights of their own."""
    for tag, blob in zip(tags, (weights, tiny_llm_gguf(weights.parent, "other.gguf", terse=True)), strict=True):
        namespace, _, name = tag.rpartition("/")
        store.put(name, blob, under=f"registry.ollama.ai/{namespace or 'library'}")


@SAME_NAMES
def test_a_name_that_another_tag_has_is_refused_and_its_weights_stay(
    store: OllamaStore, weights: Path, first: str, second: str, shared: str
) -> None:
    put_both(store, weights, first, second)
    one, other = planned(store, first), planned(store, second)
    imported.write(one)

    with pytest.raises(CannotImport) as refused:
        imported.write(other)

    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "name-taken",
        f"`{second}` would be named `{shared}` here, as `{first}` is",
        f"`ollama cp {second} NAME` gives it another name, import that one",
    )
    assert not imported.has_other_weights(other)
    assert imported.is_written(one)
    assert imported.as_imported(one).entry().spec == one.spec


def test_an_import_is_modelled_on_no_other_import(store: OllamaStore, weights: Path) -> None:
    store.put("llama3.2", weights)
    imported.write(planned(store, "llama3.2", role="sql"))

    assert "llama3.2-latest" in load_catalogue()
    assert "llama3.2-latest" not in imported.without_imported(load_catalogue())


# The command, as far as it goes without a cluster


def ollama(store: OllamaStore, *words: str) -> Result:
    return run("import", "ollama", "--store", str(store.folder), *words)


def test_a_dry_run_shows_the_plan_and_writes_nothing(store: OllamaStore, weights: Path, own_home: Path) -> None:
    store.put(TAG, weights, params={"num_ctx": 1024}, system="You are Qwen.")
    store.write_manifest("broken", [store.layer("adapter", "x")])

    result = ollama(store, "--dry-run")

    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "OLLAMA ROLE AS LOADS CONTEXT SIZE TAKES"
    assert lines[1].startswith(f"{TAG} sql sql-coder qwen2 0.03M f16 1024")
    assert lines[3:-1] == [
        "! `broken:latest` is a model with an adapter (LoRA) over it, which llama.cpp in Xinference does not load",
        "hint: merge the adapter into the weights, or import the model below it",
        "",
        f"+ {TAG}",
        "+ role sql: `sql-coder` names this tag",
        "+ context 1024, its num_ctx",
        "+ asked where a client says nothing: temperature 0, max_tokens 512",
        "+ chat template: the one in its GGUF file",
        "- system prompt: the endpoint adds none; the prompt of the spec takes its place",
    ]
    assert list(own_home.iterdir()) == []


def test_a_dry_run_for_machines_names_refusals_by_their_code(store: OllamaStore, weights: Path) -> None:
    store.put(TAG, weights)
    store.write_manifest("broken", [store.layer("adapter", "x")])

    found = json.loads(ollama(store, "--dry-run", "--json").stdout)["models"]

    assert [(one["tag"], one.get("refused"), one.get("uid")) for one in found] == [
        ("broken:latest", "adapter", None),
        (TAG, None, TAG),
    ]


@SAME_NAMES
def test_of_tags_with_one_name_the_first_is_imported_and_so_are_all_others(
    store: OllamaStore, weights: Path, first: str, second: str, shared: str
) -> None:
    put_both(store, weights, first, second)
    store.put("_:_", weights)
    store.put("deep", weights, params="[" * 5000)
    store.put("zephyr", weights)

    found = json.loads(ollama(store, "--dry-run", "--json").stdout)["models"]

    assert {one["tag"]: one.get("refused") for one in found} == {
        "_:_": "no-name", "deep:latest": "bad-manifest", first: None, second: "name-taken", "zephyr:latest": None
    }  # fmt: skip


def test_a_tag_that_was_imported_keeps_its_name_though_another_comes_before_it(
    store: OllamaStore, weights: Path
) -> None:
    put_both(store, weights, "deepseek-coder:6.7b", "deepseek:coder-6.7b")
    imported.write(planned(store, "deepseek:coder-6.7b"))

    found = json.loads(ollama(store, "--dry-run", "--json").stdout)["models"]

    assert [(one["tag"], one.get("refused"), one.get("imported")) for one in found] == [
        ("deepseek-coder:6.7b", "name-taken", None),
        ("deepseek:coder-6.7b", None, True),
    ]


def test_tags_of_one_name_that_are_asked_for_together_end_the_command_before_anything_is_done(
    store: OllamaStore, weights: Path, own_home: Path
) -> None:
    put_both(store, weights, "deepseek-coder:6.7b", "deepseek:coder-6.7b")

    result = ollama(store, "deepseek:coder-6.7b", "deepseek-coder:6.7b", "--yes")

    assert (result.exit_code, list(own_home.iterdir())) == (1, [])
    assert result.stderr == (
        "error: `deepseek-coder:6.7b` would be named `deepseek-coder-6.7b` here, as `deepseek:coder-6.7b` is\n\n"
        "hint: `ollama cp deepseek-coder:6.7b NAME` gives it another name, import that one\n"
    )


def test_one_tag_in_two_spellings_is_one_model(store: OllamaStore, weights: Path) -> None:
    store.put("Coder", weights)

    assert ollama(store, "coder", "CODER:latest", "--dry-run").exit_code == 0


def test_nothing_is_launched_that_nobody_agreed_to(store: OllamaStore, weights: Path, own_home: Path) -> None:
    store.put(TAG, weights)

    result = ollama(store, TAG)

    assert result.exit_code == 2
    assert "nobody is there to be asked; `--yes` launches without asking" in result.stderr
    assert list(own_home.iterdir()) == []


def test_a_tag_that_cannot_be_imported_ends_the_command_before_anything_is_done(
    store: OllamaStore, weights: Path, own_home: Path
) -> None:
    store.put(TAG, weights)
    store.write_manifest("broken", [store.layer("adapter", "x")])

    result = ollama(store, TAG, "broken", "--yes")

    assert (result.exit_code, list(own_home.iterdir())) == (1, [])
    assert result.stderr.startswith("error: `broken:latest` is a model with an adapter (LoRA)")


def test_an_unknown_tag_and_an_empty_store(store: OllamaStore, weights: Path) -> None:
    assert ollama(store).stdout == "Ollama's store holds no models\n"
    store.put(TAG, weights)

    assert ollama(store, "llama9").stderr == (f"error: Ollama's store has no model `llama9`\n\nhint: it has `{TAG}`\n")


def test_a_written_spec_reads_as_a_person_would_have_written_it(store: OllamaStore, weights: Path) -> None:
    store.put(TAG, weights)
    one = planned(store, TAG)
    imported.write(one)
    path = imported.as_imported(one).path
    text = path.read_text(encoding="utf-8")

    assert text.startswith(f"# Written by `biai-xinf import ollama` from {TAG}, sha256:{one.stored.digest}.\n")
    assert "  system: |\n    You write {dialect} queries." in text
    assert load_entry(path).spec == one.spec
