"""Carrying out an export: data, companions, checksums; all of it appears at once or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.core.artifacts import Coverage, Export, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.exporters import _configs
from curation.exporters._card import Card, card_text
from curation.exporters._decisions import write_decisions
from curation.exporters._records import Written, chosen_rows
from curation.exporters._rows import BLOCK, dumps, one_line

if TYPE_CHECKING:
    from curation.exporters._base import FileExporter

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.txt"
COMPANIONS = {
    "README.md": "this card",
    "recipe.yaml": "the recipe; run it again with: curate run recipe.yaml",
    "decisions.parquet": "every row of the pool: in or out, and why",
    "dataset_info.json": "the entry that LLaMA-Factory reads",
    "llamafactory.yaml": "a LLaMA-Factory training config",
    "axolotl.yaml": "an Axolotl training config",
    "train_trl.py": "a TRL training script",
    "not_in_file.jsonl": "selected rows that are not in the file, as they came, with the reason",
    CHECKSUMS: "SHA-256 of all files; check with: sha256sum -c checksums.txt",
}


@dataclass(frozen=True)
class Beside:
    """Artifacts of the same Dataset that go into the card and the decisions."""

    selection: Selection | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    coverage: Coverage | None = None


def carry_out(method: FileExporter, pool: Dataset, runtime: Runtime, beside: Beside) -> Export:
    """Write an export.

    Raises:
        CurationError: see `FileExporter.export`.
    """
    _same_dataset(pool, beside)
    rows = chosen_rows(pool, beside.selection, method.order)
    target = target_path(method, pool, runtime)
    companions = target.with_name(target.name + ".d")
    # a run's own folder may hold what the same run wrote before it was stopped
    refuse_existing(target, companions, overwrite=method.overwrite or not method.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _draft(target) as draft:
        data, folder = draft / target.name, draft / companions.name
        folder.mkdir()
        written = method.write(pool, rows, data, runtime)
        _write_companions(method, pool, runtime, beside, written, folder, target)
        sums = {**_sums(data, target.name), **_sums(folder, companions.name)}
        (folder / CHECKSUMS).write_text(checksum_lines(sums, companions.name), encoding="utf-8")
        sums[f"{companions.name}/{CHECKSUMS}"] = _sha256(folder / CHECKSUMS)
        _publish(draft, [(folder, companions), (data, target)])
    log.info("%d rows written to %s", len(written.rows), target)
    return Export(pool.fingerprint, str(target), len(written.rows), sums, _info(method, written, companions))


def _info(method: FileExporter, written: Written, companions: Path) -> dict[str, Any]:
    info: dict[str, Any] = {
        "format": method.use(),
        "form": written.form,
        "container": written.container,
        "companions": str(companions),
        "left_out": {reason: len(rows) for reason, rows in written.left_out.items()},
        "notes": list(written.notes),
    }
    if written.plan:
        info["columns"] = list(written.plan.columns)
    said = [f"{len(rows):,} selected rows are not in the file: {why}" for why, rows in written.left_out.items()]
    said += [written.report.sentence()] if written.report else []
    if said:
        info["check"] = "; ".join(said)
    if written.report:
        info["trainer"] = written.report.info()
        info["command"] = _configs.train_command(method.trainer, str(companions))
    return info


def _same_dataset(pool: Dataset, beside: Beside) -> None:
    found: dict[str, Any] = {**beside.scores, **beside.labels}
    for name, artifact in found.items():
        if artifact.dataset != pool.fingerprint or len(artifact) != len(pool):
            raise CurationError(f"'{name}' belongs to another dataset", f"compute it on {pool.name}")
    if beside.coverage is not None and beside.coverage.dataset != pool.fingerprint:
        raise CurationError("the coverage belongs to another dataset", f"compute it on {pool.name}")


# ---------------------------------------------------------------------- where


def slug(text: str) -> str:
    """A text as a file name."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "data"


def target_path(method: FileExporter, pool: Dataset, runtime: Runtime) -> Path:
    """Where the data goes: the given path, with the format's suffix if it has none; else a file in the run's folder.

    Raises:
        CurationError: if there is neither.
    """
    suffix = method.default_suffix(pool)
    if method.path:
        path = Path(method.path).expanduser()
        return path.with_name(path.name + suffix) if suffix and not path.suffix else path
    folder = runtime.context.get("folder")
    if folder is None:
        raise CurationError("no output was named", "give a path: --output subset.json")
    step = runtime.context.get("step", "export")
    name = slug(Path(pool.name).stem) + ("" if step == "export" else f"-{slug(step)}")
    return Path(folder) / (name + suffix)


def refuse_existing(target: Path, companions: Path, *, overwrite: bool) -> None:
    """Refuse to write over what is there, and ever to replace a folder that no export made.

    Raises:
        CurationError: with what to do.
    """
    for path in (target, companions):
        if not (path.exists() or path.is_symlink()):
            continue
        if not overwrite:
            raise CurationError(f"{path} exists", "choose another name, or --overwrite (overwrite=True) to replace it")
        ours = (companions / CHECKSUMS).is_file()
        if path.is_dir() and any(path.iterdir()) and not ours:
            raise CurationError(f"{path} is a folder that was not written by an export", "choose another name")
    ancestor = next(p for p in [target.parent, *target.parent.parents] if p.exists())
    if not ancestor.is_dir():
        raise CurationError(f"{ancestor} is a file, not a folder", "choose another name")


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A hidden folder beside the target; removed whatever happens."""
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, moves: list[tuple[Path, Path]]) -> None:
    """Rename finished files into place, the data last; what was there goes first into the draft."""
    old = draft / "replaced"
    old.mkdir()
    done: list[Path] = []
    try:
        for made, place in moves:
            if place.exists() or place.is_symlink():
                place.replace(old / place.name)
            done.append(place)
            made.replace(place)
    except OSError:
        for place in done:
            if (old / place.name).exists():
                shutil.rmtree(place, ignore_errors=True)
                (old / place.name).replace(place)
        raise


# ---------------------------------------------------------------------- companions


def _write_companions(
    method: FileExporter,
    pool: Dataset,
    runtime: Runtime,
    beside: Beside,
    written: Written,
    folder: Path,
    target: Path,
) -> None:
    """Write everything but the checksums."""
    context = runtime.context
    recipe = str(context.get("recipe") or "")
    if recipe:
        (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    if written.left_out:
        _write_left_out(folder / "not_in_file.jsonl", pool, written)
    write_decisions(folder / "decisions.parquet", pool, beside.selection, written, beside.scores, beside.labels)
    name = method.name or slug(target.stem)
    train = _write_configs(method, written, name, folder, target)
    there = [*(p.name for p in folder.iterdir()), "README.md", CHECKSUMS]
    card = Card(
        name,
        target.name,
        pool,
        written,
        beside.selection,
        beside.scores,
        beside.labels,
        beside.coverage,
        bool(recipe),
        str(context.get("command") or ""),
        tuple(context.get("results") or ()),
        train,
        {file: what for file, what in COMPANIONS.items() if file in there},
    )
    (folder / "README.md").write_text(card_text(card), encoding="utf-8")


def _write_configs(method: FileExporter, written: Written, name: str, folder: Path, target: Path) -> str:
    plan = written.plan
    setting = _configs.Setting(name, f"../{target.name}", method.base_model, method.template, method.cutoff_len)
    entry = written.entry if plan is None else _configs.dataset_info(plan)
    if entry:
        info = {name: {"file_name": setting.data, **entry}}
        (folder / "dataset_info.json").write_text(_pretty(info), encoding="utf-8")
    if plan is None:
        return ""
    texts = {
        "llama-factory": ("llamafactory.yaml", lambda: _configs.llama_factory_yaml(setting)),
        "axolotl": ("axolotl.yaml", lambda: _configs.axolotl_yaml(plan, setting)),
        "trl": ("train_trl.py", lambda: _configs.trl_script(plan, setting)),
    }
    if method.trainer not in texts:
        return ""
    file, make = texts[method.trainer]
    (folder / file).write_text(make(), encoding="utf-8")
    return _configs.train_command(method.trainer, target.name + ".d")


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _write_left_out(path: Path, pool: Dataset, written: Written) -> None:
    """Selected rows that are not in the file: id, reason, and the original record."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for reason, rows in written.left_out.items():
            for start in range(0, len(rows), BLOCK):
                part = pool.take(rows[start : start + BLOCK])
                ids, records = part.row_ids(), part.table["record"].to_pylist()
                for row, row_id, record in zip(rows[start : start + BLOCK].tolist(), ids, records, strict=True):
                    head = dumps({"row": row, "row_id": row_id, "reason": reason})
                    file.write(f'{head[:-1]}, "record": {one_line(record)}}}\n')


# ---------------------------------------------------------------------- checksums


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sums(made: Path, name: str) -> dict[str, str]:
    """SHA-256 of a file, or of every file in a folder, by its path relative to the output's folder."""
    if made.is_file():
        return {name: _sha256(made)}
    files = sorted(p for p in made.rglob("*") if p.is_file())
    return {f"{name}/{p.relative_to(made).as_posix()}": _sha256(p) for p in files}


def checksum_lines(sums: dict[str, str], companions: str) -> str:
    """Lines for `sha256sum -c`, to be run inside the folder of companions.

    A name with a backslash or a line end is escaped as GNU coreutils does: the line then begins with a backslash.
    """
    lines = []
    for name, digest in sums.items():
        place = name.removeprefix(f"{companions}/") if name.startswith(f"{companions}/") else f"../{name}"
        escaped = place.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "\\" if escaped != place else ""
        lines.append(f"{mark}{digest}  {escaped}\n")
    return "".join(lines)
