"""Operations that move, make or look up data without arithmetic. They cost nothing in MACs and FLOPs.

They are listed, not guessed: what is in no list is reported as uncovered.
"""

from __future__ import annotations

from cspanalyze.costs.registry import Call, Cost, formula

_COPIES = (
    "cat", "stack", "clone", "copy_", "copy", "contiguous", "_to_copy", "to", "_reshape_alias_copy", "_reshape_copy",
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
    "replication_pad2d", "replication_pad3d", "roll", "flip", "repeat", "tile", "repeat_interleave", "rot90",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "im2col", "col2im",
    "view_copy", "slice_copy", "permute_copy", "expand_copy", "split_with_sizes_copy", "unbind_copy",
    "slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter", "_unsafe_view", "unsafe_split",
    "unsafe_chunk", "unsafe_split_with_sizes", "_reshape_alias", "lift_fresh_copy", "lift_fresh", "lift",
    "_conj_physical", "conj_physical", "resolve_conj", "complex", "polar", "view_as_complex_copy", "triu", "tril",
    "triu_", "tril_", "diag_embed", "block_diag", "cartesian_prod", "combinations", "mkldnn_reorder_conv2d_weight",
)  # fmt: skip
_LOOKUPS = (
    "embedding", "gather", "index", "_unsafe_index", "index_select", "index_put", "index_put_", "_index_put_impl_",
    "_unsafe_index_put", "scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_",
    "index_add", "index_add_", "index_copy", "index_copy_", "index_fill", "index_fill_", "masked_select", "masked_fill",
    "masked_fill_", "masked_scatter", "masked_scatter_", "where", "nonzero", "nonzero_static", "take",
    "take_along_dim", "one_hot", "unique_dim", "_unique2", "unique_consecutive", "unique_dim_consecutive", "put_",
)  # fmt: skip
_FACTORIES = (
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "zeros", "zeros_like",
    "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "fill", "fill_", "zero", "zero_",
    "arange", "linspace", "logspace", "eye", "scalar_tensor", "tril_indices", "triu_indices", "rand", "rand_like",
    "randn", "randn_like", "randint", "randint_like", "randperm", "normal", "normal_", "uniform", "uniform_",
    "bernoulli", "bernoulli_", "multinomial", "exponential_", "random_", "hann_window", "hamming_window",
    "_local_scalar_dense", "item", "detach", "detach_", "set_", "resize_", "is_nonzero", "equal", "_assert_async",
    "_efficientzerotensor", "native_dropout", "dropout", "feature_dropout", "alpha_dropout", "sym_size", "sym_numel",
    "sym_stride", "sym_storage_offset", "is_same_size", "_has_compatible_shallow_copy_type", "meshgrid",
    "_pack_padded_sequence", "_pad_packed_sequence", "_nested_tensor_from_mask",
)  # fmt: skip


@formula("cspanalyze.update", *(f"aten.{name}" for name in (*_COPIES, *_LOOKUPS, *_FACTORIES)))
def movement(_: Call) -> Cost:
    """No arithmetic. Dropout is here because it does nothing in evaluation."""
    return Cost("movement")
