"""Scaled dot-product attention in every fused form, and torch's fused transformer kernels."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.registry import Call, Cost, formula

SOFTMAX_FLOPS = 5
"""Per element: subtract the maximum (found by one comparison), exponential, sum, divide."""


def _attention(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> Cost:
    """(..., L, E), (..., S, E), (..., S, Ev): MACs = batch x heads x L x S x (E + Ev), masked positions included.

    With grouped queries the heads of the query count. Activations are both products, element-wise FLOPs the scaling
    and the softmax of the scores.
    """
    scores = prod(query[:-1]) * key[-2]
    out = prod(query[:-1]) * value[-1]
    return Cost(
        "attention",
        macs=scores * (query[-1] + value[-1]),
        elementwise_flops=scores * (1 + SOFTMAX_FLOPS),
        activations=scores + out,
    )


@formula(
    "aten.scaled_dot_product_attention",
    "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_cudnn_attention",
    "aten._scaled_dot_product_fused_attention_overrideable",
    "aten._scaled_dot_product_attention_math",
    "higher_order.flex_attention",
)
def attention(call: Call) -> Cost:
    """Arguments 0, 1, 2 are query, key and value.

    Flexible attention is counted dense: neither what its score function computes, nor the blocks that its mask skips.
    """
    return _attention(call.shape(0), call.shape(1), call.shape(2))


@formula("aten._flash_attention_forward", "aten._efficient_attention_forward")
def attention_sequence_major(call: Call) -> Cost:
    """These keep the sequence before the heads: (B, L, H, E)."""
    query, key, value = (_heads_first(call.shape(i)) for i in range(3))
    return _attention(query, key, value)


def _heads_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-3], shape[-2], shape[-3], shape[-1])


@formula("aten._native_multi_head_attention")
def multi_head_attention(call: Call) -> Cost:
    """(query, key, value, embed_dim, num_head, qkv_weight, qkv_bias, proj_weight, ...): projections and attention."""
    return _sum_costs(_projections(call.shape(0), call.shape(5), call.shape(7)), _heads(call, 4))


@formula("aten._transformer_encoder_layer_fwd")
def encoder_layer(call: Call) -> Cost:
    """(src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first, eps, norm1 (2),
    norm2 (2), ffn_weight_1, ffn_bias_1, ffn_weight_2, ...): attention, two linear layers, two layer norms, two adds."""
    source = call.shape(0)
    positions = prod(source[:-1])
    feed_forward = positions * (prod(call.shape(14)) + prod(call.shape(16)))
    rest = Cost(
        "attention",
        macs=feed_forward,
        elementwise_flops=2 * 5 * prod(source) + 2 * prod(source) + positions * call.shape(14)[0],
        activations=positions * (call.shape(14)[0] + call.shape(16)[0]),
    )
    return _sum_costs(_projections(source, call.shape(3), call.shape(5)), _heads(call, 2), rest)


def _projections(source: tuple[int, ...], qkv: tuple[int, ...], out: tuple[int, ...]) -> Cost:
    positions = prod(source[:-1])
    return Cost("attention", macs=positions * (prod(qkv) + prod(out)), activations=positions * (qkv[0] + out[0]))


def _heads(call: Call, position: int) -> Cost:
    batch, length, width = call.shape(0)
    heads = call.argument(position, "num_heads")
    count = heads if isinstance(heads, int) else 1
    split = (batch, count, length, width // count)
    return _attention(split, split, split)


def _sum_costs(*parts: Cost) -> Cost:
    return Cost(
        parts[0].kind,
        macs=sum(part.macs for part in parts),
        elementwise_flops=sum(part.elementwise_flops for part in parts),
        activations=sum(part.activations for part in parts),
    )
