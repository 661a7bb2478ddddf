"""Files that a trainer reads besides the data: LLaMA-Factory's dataset_info.json, Axolotl's YAML, a TRL script.

All paths are relative to the folder of companions, so the pair of data and folder can be moved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from curation.exporters._plan import Plan
from curation.exporters.check import RULES

LOADERS = {"json": "json", "jsonl": "json", "csv": "csv", "parquet": "parquet"}
MEDIA = ("images", "videos", "audios")
TAGS_SHAREGPT = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
TAGS_MESSAGES = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function_call",
    "system_tag": "system",
}
"""All seven, always: LLaMA-Factory sets every tag that `tags` does not name to nothing."""


@dataclass(frozen=True)
class Setting:
    """What the configs are made from.

    Args:
        name: Name of the data set.
        data: The data file or folder, relative to the folder of companions.
        base_model: The model to be trained.
        template: LLaMA-Factory's name for its chat template.
        limit: Longest row in tokens, None = the trainer's.
    """

    name: str
    data: str
    base_model: str
    template: str
    limit: int | None


def dataset_info(plan: Plan) -> dict[str, Any] | None:
    """LLaMA-Factory's entry for the file; None where it cannot read it (folders, lists of messages as prompts).

    Columns that the file does not have must not be named there: naming them ends the run with a KeyError.
    """
    form, has = plan.form, set(plan.columns)
    if plan.container == "hf" or form.style == "messages":
        return None
    media = {name: name for name in (*MEDIA, "tools") if name in has}
    if form.name == "alpaca":
        columns = {"prompt": "instruction", "query": "input", "response": "output"}
        columns.update({name: name for name in ("system", "history") if name in has})
        return {"columns": {**columns, **media}}
    if form.name == "prompt_completion":
        return {"columns": {"prompt": "prompt", "response": "completion"}}
    if plan.container == "csv":
        return None
    if form.name == "sharegpt":
        return {
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", **media},
            "tags": TAGS_SHAREGPT,
        }
    # `formatting: openai` adds a sentence to every system prompt; only tool calls need it
    formatting = "openai" if "tool_calls" in plan.turn_keys else "sharegpt"
    return {"formatting": formatting, "columns": {"messages": "messages", **media}, "tags": TAGS_MESSAGES}


def original_entry(fact: dict[str, Any], fields: list[str]) -> dict[str, Any] | None:
    """LLaMA-Factory's entry for records as they came, preference pairs too; None for forms it does not read.

    Args:
        fact: What the reader noted about the source: its `mapping` and `container`.
        fields: Fields that occur in the records.
    """
    mapping = {k: v for k, v in (fact.get("mapping") or {}).items() if v in fields or k in ("form", "role", "content")}
    form = mapping.get("form")
    container = str(fact.get("container", "")).split(".")[0]
    if container not in LOADERS or fact.get("layout") in ("splits", "values"):
        return None
    shared = {name: mapping[name] for name in ("system", "tools", "images") if name in mapping}
    pair = {name: mapping[name] for name in ("chosen", "rejected") if name in mapping}
    if form in ("alpaca", "dolly", "prompt-completion") or (form == "preference" and "prompt" in mapping):
        names = {"prompt": "prompt", "query": "input", "response": "response", "history": "history"}
        columns = {column: mapping[role] for column, role in names.items() if role in mapping}
        return {**({"ranking": True} if pair else {}), "columns": {**columns, **pair, **shared}}
    if form in ("sharegpt", "messages", "preference") and "conversations" in mapping:
        base = TAGS_SHAREGPT if mapping.get("role") == "from" else TAGS_MESSAGES
        given = {"role_tag": mapping.get("role"), "content_tag": mapping.get("content")}
        tags = {**base, **{k: v for k, v in given.items() if v}}
        columns = {"messages": mapping["conversations"], **pair, **shared}
        return {"formatting": "sharegpt", **({"ranking": True} if pair else {}), "columns": columns, "tags": tags}
    return None


def llama_factory_yaml(setting: Setting) -> str:
    """A training config for `llamafactory-cli train`, to be run inside the folder of companions."""
    config = {
        "model_name_or_path": setting.base_model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_target": "all",
        "dataset_dir": ".",
        "media_dir": "..",
        "dataset": setting.name,
        "template": setting.template,
        "cutoff_len": setting.limit or RULES["llama-factory"].DEFAULT_LIMIT,
        "output_dir": "./trained",
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "learning_rate": 1.0e-4,
        "num_train_epochs": 3.0,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": 0.1,
        "bf16": True,
        "logging_steps": 10,
    }
    head = "# Run inside this folder: llamafactory-cli train llamafactory.yaml\n# template must be that of the model.\n"
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def axolotl_yaml(plan: Plan, setting: Setting) -> str:
    """A training config for `axolotl train`, to be run inside the folder of companions."""
    source: dict[str, Any] = {"path": setting.data}
    if plan.container in LOADERS:
        source["ds_type"] = LOADERS[plan.container]
    source.update(_axolotl_type(plan))
    config = {
        "base_model": setting.base_model,
        "datasets": [source],
        "dataset_prepared_path": "./prepared",
        "sequence_len": setting.limit or RULES["axolotl"].DEFAULT_LIMIT,
        "excess_length_strategy": "drop",
        "sample_packing": True,
        "train_on_inputs": False,
        "val_set_size": 0.0,
        "adapter": "lora",
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_target_linear": True,
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "num_epochs": 3,
        "learning_rate": 2.0e-4,
        "lr_scheduler": "cosine",
        "optimizer": "adamw_torch",
        "bf16": "auto",
        "attn_implementation": "flash_attention_2",
        "output_dir": "./trained",
    }
    head = "# Run inside this folder: axolotl train axolotl.yaml\n"
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _axolotl_type(plan: Plan) -> dict[str, Any]:
    form = plan.form.name
    if form == "alpaca":
        return {"type": "alpaca"}
    if form == "prompt_completion":
        bare = {"format": "{instruction}", "no_input_format": "{instruction}"}
        return {"type": {"field_instruction": "prompt", "field_output": "completion", **bare}}
    out: dict[str, Any] = {"type": "chat_template", "chat_template": "tokenizer_default"}
    if form == "sharegpt":
        out["field_messages"] = "conversations"
        out["message_property_mappings"] = {"role": "from", "content": "value"}
        out["roles"] = {
            "user": ["human", "user"],
            "assistant": ["gpt", "assistant", "function_call"],
            "system": ["system"],
            "tool": ["observation", "tool"],
        }
    else:
        out["field_messages"] = "messages"
        out["message_property_mappings"] = {"role": "role", "content": "content"}
    out["roles_to_train"] = ["assistant"]
    out["train_on_eos"] = "turn"
    if "weight" in plan.turn_keys:
        out["message_field_training"] = "weight"
    return out


TRL_SCRIPT = '''"""Train with TRL on {name}. Needs: pip install "trl>=1.16" peft. Run: python train_trl.py"""

from pathlib import Path

from datasets import {loader}
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent

rows = {load}

config = SFTConfig(
    output_dir=str(HERE / "trained"),
    max_length={limit},  # TRL's own default is 1024; longer rows are cut at the end
{loss}
    per_device_train_batch_size=2,
    gradient_accumulation_steps=4,
    num_train_epochs=3,
    learning_rate=2e-4,
    lr_scheduler_type="cosine",
)
peft = LoraConfig(r=16, lora_alpha=32)
trainer = SFTTrainer(model={model}, args=config, train_dataset=rows, peft_config=peft)
trainer.train()
trainer.save_model()
'''


def trl_script(plan: Plan, setting: Setting) -> str:
    """A training script with the loss where it belongs: on the answers only."""
    data = f"HERE / {json.dumps(setting.data, ensure_ascii=False)}"
    if plan.container == "hf":
        loader, load = "load_from_disk", f"load_from_disk(str({data}))"
    else:
        loader = "load_dataset"
        load = f'load_dataset("{LOADERS[plan.container]}", data_files=str({data}), split="train")'
    if plan.form.name == "messages":
        loss = "    assistant_only_loss=True,  # the default trains on the questions too"
    else:
        loss = "    completion_only_loss=True,  # the default for prompt and completion"
    return TRL_SCRIPT.format(
        name=setting.name.replace('"', "'").replace("\\", "/"),
        loader=loader,
        load=load,
        limit=setting.limit or RULES["trl"].DEFAULT_LIMIT,
        loss=loss,
        model=json.dumps(setting.base_model, ensure_ascii=False),
    )


def train_command(trainer: str, folder: str) -> str:
    """What to type to train, "" without a trainer."""
    import shlex

    place = shlex.quote(folder)
    return {
        "llama-factory": f"cd {place} && llamafactory-cli train llamafactory.yaml",
        "axolotl": f"cd {place} && axolotl train axolotl.yaml",
        "trl": f"cd {place} && python train_trl.py",
    }.get(trainer, "")
