"""The layers as torch modules: each takes the maps that it reads, (N, C, H, W) each, and returns one map."""
