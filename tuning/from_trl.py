"""TRL's option names, and what to type here instead: for people who come from `trl sft`.

Names that mean the same are options or aliases of `tune run` itself (see `TuneConfig`). This module
has the others, of trl 1.16's SFTConfig, ModelConfig and ScriptArguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tuneproof.options import underscored

_BUILD = "data comes from `prepdata build`, then --data FOLDER"
_CHECKPOINTS = (
    "the newest and the best checkpoint are kept, two at least; the best is what is saved"
)
_EVALUATIONS = "type --eval-steps N for evaluations within epochs; there is one after every epoch"
_HUB = "a training uploads nothing; `tune push RUN` does, afterwards"
_KERNELS = "done by itself on a CPU where it is the same; --no-fast-path packing leaves it out"
_LOSS = "the loss covers answers and their ends, nothing else; type --train-on last for the last"
_TEMPLATE = "taken from the model's tokenizer and template; see --template"
_TRACKIO = "type --report-to trackio; its own environment variables say where it writes"

ADVICE: Mapping[str, str] = {
    "assistant_only_loss": _LOSS,
    "bf16": "type --mixed-precision bf16",
    "chat_template_path": "type --template FILE",
    "completion_only_loss": _LOSS,
    "data_seed": "type --seed N, which decides the order of the examples too",
    "dataset_config": "type `prepdata build --source hub:OWNER/NAME:CONFIG`, then --data FOLDER",
    "dataset_name": "type `prepdata build --source hub:OWNER/NAME`, then --data FOLDER",
    "dataset_streaming": _BUILD,
    "dataset_test_split": _BUILD,
    "dataset_text_field": _BUILD,
    "dataset_train_split": _BUILD,
    "do_eval": _EVALUATIONS,
    "eos_token": _TEMPLATE,
    "eval_strategy": _EVALUATIONS,
    "evaluation_strategy": _EVALUATIONS,
    "fp16": "type --mixed-precision fp16",
    "greater_is_better": _CHECKPOINTS,
    "hub_model_id": _HUB,
    "hub_strategy": _HUB,
    "load_best_model_at_end": _CHECKPOINTS,
    "load_in_8bit": "type --load-in-4bit or --method qlora; 8 bits are not offered",
    "logging_steps": "about 100 losses are logged, whatever the length of the training",
    "logging_strategy": "about 100 losses are logged, whatever the length of the training",
    "lora_modules_to_save": "type --objective classify where a head is trained",
    "lora_task_type": "type --objective generate or classify",
    "max_prompt_length": "type --max-length N, of prompt and answer together",
    "metric_for_best_model": _CHECKPOINTS,
    "no_cuda": "type --device cpu",
    "output_dir": "type --runs FOLDER --name NAME; the run is FOLDER/NAME",
    "packing": _KERNELS,
    "packing_strategy": _KERNELS,
    "pad_token": _TEMPLATE,
    "padding_free": _KERNELS,
    "per_device_eval_batch_size": "evaluations take --per-device-train-batch-size",
    "project": _TRACKIO,
    "push_to_hub": _HUB,
    "restore_callback_states_from_checkpoint": "an interrupted run goes on whole",
    "resume_from_checkpoint": "leave it out: the same command goes on from the last checkpoint",
    "save_strategy": "type --save-steps N or --save-minutes N, beside one after every epoch",
    "save_total_limit": _CHECKPOINTS,
    "tokenizer_name_or_path": _TEMPLATE,
    "trackio_bucket_id": _TRACKIO,
    "trackio_space_id": _TRACKIO,
    "trackio_static_space_id": _TRACKIO,
    "trust_remote_code": "leave it out: code that comes with a model is never run",
    "use_cpu": "type --device cpu",
    "use_dora": "type --method NAME; `tune methods` lists them",
    "use_peft": "type --method lora, the default, or --method full for all weights",
    "use_rslora": "type --method NAME; `tune methods` lists them",
    "warmup_ratio": "type --warmup-steps 0.03; under 1 it is a share of all steps",
}
"""What to type instead of an option, or why it is not needed."""
WITHOUT_EQUAL = {
    "accelerator_config", "activation_checkpointing_kwargs", "activation_offloading", "adam_beta1",
    "adam_beta2", "adam_epsilon", "average_tokens_across_devices", "batch_eval_metrics",
    "bf16_full_eval", "bnb_4bit_quant_storage", "dataloader_drop_last", "dataloader_in_order",
    "dataloader_multiprocessing_context", "dataloader_num_workers", "dataloader_persistent_workers",
    "dataloader_pin_memory", "dataloader_prefetch_factor", "dataset_kwargs", "dataset_num_proc",
    "ddp_backend", "ddp_broadcast_buffers", "ddp_bucket_cap_mb", "ddp_find_unused_parameters",
    "ddp_static_graph", "ddp_timeout", "debug", "deepspeed", "disable_tqdm", "do_predict",
    "do_train", "enable_jit_checkpoint", "eval_accumulation_steps", "eval_delay",
    "eval_do_concat_batches", "eval_on_start", "eval_packing", "eval_use_gather_object",
    "fp16_full_eval", "fsdp", "fsdp_config", "full_determinism", "gradient_checkpointing_kwargs",
    "hub_always_push", "hub_private_repo", "hub_revision", "hub_token", "ignore_bias_buffers",
    "ignore_data_skip", "include_for_metrics", "include_num_input_tokens_seen", "label_names",
    "label_smoothing_factor", "length_column_name", "liger_kernel_config", "local_rank",
    "log_level", "log_level_replica", "log_on_each_node", "logging_first_step",
    "logging_nan_inf_filter", "lora_target_parameters", "loss_type", "lr_scheduler_kwargs",
    "model_init_kwargs", "model_revision", "neftune_noise_alpha", "optim_args",
    "optim_target_modules", "pad_to_multiple_of", "parallelism_config", "prediction_loss_only",
    "remove_unused_columns", "router_aux_loss_coef", "save_on_each_node", "save_only_model",
    "shuffle_dataset", "skip_memory_metrics", "tf32", "torch_compile", "torch_compile_backend",
    "torch_compile_mode", "torch_empty_cache_steps", "train_sampling_strategy", "truncation_mode",
    "use_cache",
}  # fmt: skip
"""Options of TRL's that `tune run` has nothing like."""
TRUTHS = {"true": True, "false": False}
"""How TRL's users type whether a flag is set."""


def advice_on(option: str) -> str | None:
    """Return one line on an option of TRL's: what to type here; None where it is not TRL's.

    Args:
        option: As it was typed, with or without dashes.
    """
    name = underscored(option)
    if name in ADVICE:
        return f"--{name} is TRL's; {ADVICE[name]}"
    if name in WITHOUT_EQUAL:
        return (
            f"--{name} is TRL's, and `tune run` has nothing like it; leave it out "
            "(`tune run --help` lists what there is)"
        )
    return None


class TrainCommand(click.Command):
    """A command that says what TRL's options are called here, and reads ``--flag True``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options; one of TRL's that is none of ours gives one line with advice."""
        try:
            return super().parse_args(ctx, self._with_plain_flags(args))
        except click.NoSuchOption as error:
            advice = advice_on(error.option_name)
            if advice is None:
                raise
            raise click.UsageError(advice) from error

    def _with_plain_flags(self, args: list[str]) -> list[str]:
        """Return the arguments with ``--flag True`` as ``--flag``, and False as ``--no-flag``."""
        flags = {
            underscored(name): option
            for option in self.params
            if isinstance(option, click.Option) and option.is_flag and option.secondary_opts
            for name in option.opts
        }
        plain: list[str] = []
        for argument in args:
            before = flags.get(underscored(plain[-1])) if plain and plain[-1][:2] == "--" else None
            if before is None or argument.lower() not in TRUTHS:
                plain.append(argument)
            elif not TRUTHS[argument.lower()]:
                plain[-1] = _opposite(before)
        return plain


def _opposite(option: Any) -> str:
    return str(option.secondary_opts[0])
