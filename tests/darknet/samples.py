"""Small network files that together use every section that is known."""

from __future__ import annotations

from cspanalyze.darknet.options import ACTIVATIONS

NET = "[net]\nwidth=16\nheight=12\nchannels=4\n\n"

LAYERS = {
    "plain": "[convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=mish\n",
    "even": "[conv]\nfilters=6\nsize=4\nstride_x=2\nstride_y=1\npadding=1\nactivation=linear\n",
    "grouped": "[convolutional]\nfilters=8\nsize=5\ngroups=4\npad=1\ndilation=2\nactivation=hard_mish\n",
    "blurred": "[convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\nantialiasing=1\nactivation=swish\n",
    "blurred by two": "[convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\nantialiasing=2\nactivation=relu6\n",
    "shared": "[convolutional]\nfilters=4\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"
    "[convolutional]\nfilters=4\nsize=3\npad=1\ndilation=2\nbatch_normalize=1\nactivation=leaky\nshare_index=-1\n",
    "pools": "[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=1\n[max]\nsize=5\nstride=1\n"
    "[maxpool]\nsize=3\nstride_x=2\nstride_y=1\npadding=1\n",
    "odd pool": "[maxpool]\nsize=3\nstride=2\n[maxpool]\nsize=2\nstride=2\n",
    "blurred pool": "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n",
    "maxout": "[maxpool]\nmaxpool_depth=1\nout_channels=2\n",
    "means": "[local_avgpool]\nsize=3\nstride=2\n[local_avg]\nsize=2\nstride=1\n[avg]\n",
    "routes": "[conv]\nfilters=6\n[conv]\nfilters=2\n[route]\nlayers=-1,0\n[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
    "[route]\nlayers=0,1\ngroups=2\n",
    "shortcuts": "[conv]\nfilters=6\n[conv]\nfilters=6\n[shortcut]\nfrom=-2\nactivation=leaky\n"
    "[shortcut]\nfrom=-1,-3\nweights_type=per_feature\nweights_normalization=softmax\n"
    "[shortcut]\nfrom=0,1\nweights_type=per_channel\nweights_normalization=relu\n",
    "unequal shortcuts": "[conv]\nfilters=6\n[conv]\nfilters=9\nsize=3\nstride=2\npad=1\n[shortcut]\nfrom=0\n"
    "[conv]\nfilters=4\nsize=3\npad=1\n[shortcut]\nfrom=0\n[upsample]\nstride=2\n[shortcut]\nfrom=2\n",
    "upsample": "[upsample]\nstride=3\nscale=2\n",
    "reorganised": "[reorg3d]\nstride=2\n[reorg3d]\nstride=2\nreverse=1\n"
    "[reorg]\nstride=2\n[reorg_old]\nstride=2\nreverse=1\n",
    "squeezed": "[conv]\nfilters=5\n[avgpool]\n[conv]\nfilters=5\n[scale_channels]\nfrom=0\nactivation=logistic\n"
    "[conv]\nfilters=1\n[scale_channels]\nfrom=-2\nscale_wh=1\n",
    "attended": "[conv]\nfilters=5\n[conv]\nfilters=5\nactivation=logistic\n[sam]\nfrom=-2\n",
    "implicit": "[implicit_add]\nfilters=4\n[implicit_mul]\nfilters=4\n[implicit]\nfilters=3\natoms=1\n"
    "[conv]\nfilters=2\n[route]\nlayers=0\n[conv]\nfilters=4\n",
    "implicit used": "[conv]\nfilters=4\n[implicit_add]\nfilters=4\n[implicit_mul]\nfilters=4\n[route]\nlayers=0\n"
    "[shift_channels]\nfrom=1\n[control_channels]\nfrom=2\n[select_channels]\nfrom=1\n[alternate_channels]\nfrom=2\n",
    "small things": "[dropout]\nprobability=.5\n[batchnorm]\n[activation]\nactivation=elu\n"
    "[normalization]\nsize=3\n[lrn]\n[empty]\n[silence]\n[crop]\ncrop_height=10\ncrop_width=12\n[softmax]\ngroups=2\ntemperature=2\n[cost]\ntype=sse\n",
    "spatial softmax": "[softmax]\nspatial=1\n[crop]\ncrop_height=3\ncrop_width=3\nnoadjust=1\n",
    "activations": "".join(f"[activation]\nactivation={name}\n" for name in ACTIVATIONS),
    "local": "[local]\nfilters=3\nsize=3\nstride=2\npad=1\nactivation=leaky\n[local]\nfilters=2\nsize=2\n",
    "connected": "[connected]\noutput=7\nactivation=relu\nbatch_normalize=1\n[conn]\noutput=3\n[softmax]\n",
    "yolov1": "[connected]\noutput=20\nactivation=linear\n[detection]\nside=2\nnum=1\ncoords=3\nclasses=1\n",
    "yolov2": "[conv]\nfilters=21\nactivation=linear\n[region]\nnum=3\nclasses=2\ncoords=4\nanchors=1,2,3,4,5,6\n",
    "yolov3": "[conv]\nfilters=14\nactivation=linear\n[yolo]\nmask=0,1\nclasses=2\nnum=3\nanchors=1,2,3,4,5,6\n"
    "[route]\nlayers=-2\n[conv]\nfilters=7\nactivation=linear\n[yolo]\nmask=2\nclasses=2\nnum=3\n",
    "gaussian": "[conv]\nfilters=11\nactivation=linear\n[Gaussian_yolo]\nmask=1\nclasses=2\nnum=3\nyolo_point=center\n",
}
"""What follows `[net]` in each file, by what it is for."""

RECURRENT = {
    "rnn": "[rnn]\nhidden=5\noutput=4\nactivation=leaky\nbatch_normalize=1\nshortcut=1\n"
    "[rnn]\nhidden=3\noutput=2\nlogistic=1\n",
    "gru": "[gru]\noutput=5\n[gru]\noutput=3\nbatch_normalize=1\ntanh=1\n",
    "lstm": "[lstm]\noutput=5\nbatch_normalize=1\n[connected]\noutput=2\n[softmax]\n",
    "crnn": "[crnn]\nhidden=6\noutput=4\nsize=3\npad=1\ngroups=2\nactivation=leaky\nbatch_normalize=1\nshortcut=1\n",
    "conv_lstm": "[conv_lstm]\noutput=5\nsize=3\npad=1\nbatch_normalize=1\n"
    "[conv_lstm]\noutput=3\nsize=1\npeephole=1\nactivation=leaky\nlstm_activation=leaky\n",
}
"""The same for layers with a state."""

SAMPLES = {
    **{name: NET + layers for name, layers in LAYERS.items()},
    **{name: NET.replace("\n\n", "\ntime_steps=3\n\n") + layers for name, layers in RECURRENT.items()},
    "vector": "[net]\ninputs=9\ntime_steps=2\n[rnn]\nhidden=3\noutput=9\n[softmax]\n",
}
"""Whole files."""
