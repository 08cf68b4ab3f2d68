"""What can be read, and what every refusal says: file, line, what was given, what is known."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from darknet.samples import NET, SAMPLES

from cspanalyze.darknet import load_cfg, plan_cfg, plan_network, read_bytes, read_text
from cspanalyze.errors import SourceError


def _refusal(data: str | bytes) -> str:
    """The message with which a file is refused: one line."""
    with pytest.raises(SourceError) as caught:
        plan_network(read_bytes(data.encode() if isinstance(data, str) else data, "a.cfg"), "a.cfg")
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1_500
    return message


def test_blanks_and_comments_count_for_nothing() -> None:
    text = "\ufeff# network\r\n[net]\r\n width = 4 \nheight=4\nchannels=1 ; one\n[conv]"
    assert "channels='1;one' is no whole number" in _refusal(text)  # a comment behind a value begins with #
    plain = read_text("[net]\nwidth=4\nheight=4\nchannels=1\n[route]\nlayers=-1,0", "")
    spaced = read_bytes(
        b"; old\n[net]\r\n\twidth = 4 # four\nheight=4\nchannels=1\n#[conv]\n[ route ]\nlayers = -1, 0", ""
    )
    assert spaced == plain
    assert spaced[1].line == 7


def test_the_first_of_two_equal_keys_counts() -> None:
    plan = plan_network(read_text(f"{NET}[conv]\nfilters=3\nfilters=5", ""), "a.cfg")
    assert plan.layers[0].shape.channels == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.cfg has no sections: expected [net]"),
        ("width=3", "a.cfg, line 1: 'width=3' cannot be read, expected [net] first"),
        ("[net]\nwidth", "a.cfg, line 2: 'width' cannot be read, expected key=value"),
        ("[net", "a.cfg, line 1: '[net' is no section"),
        ("[]", "is no section"),
        ("[conv]\n", "a.cfg, line 1: the first section is [conv], expected [net]"),
        ("[net]\nwidth=3\n", "a.cfg, line 1: there is no layer under [net]"),
        ("[net]\n[conv]", "[net] needs width=, height= and channels=, or inputs="),
        ("[net]\nwidth=3\nchannels=3\n[conv]", "[net] needs height= beside channels= and width="),
        ("[net]\nwidth=0\nheight=1\nchannels=3\n[conv]", "a.cfg, line 2: width=0 is not possible, expected 1 or more"),
        ("[net]\nwidth=-5\nheight=1\nchannels=3\n[conv]", "width=-5 is not possible, expected 1 or more"),
        ("[net]\nwidth=99999\nheight=1\nchannels=3\n[conv]", "width=99999 is not possible, expected at most 16,384"),
        ("[net]\nwidth=9e9\nheight=1\nchannels=3\n[conv]", "width='9e9' is no whole number"),
        (f"[net]\nwidth={'9' * 5000}\nheight=1\nchannels=3\n[conv]", "is no whole number"),
        ("[net]\nwidht=4\n[conv]", "a.cfg, line 2: [net] has no key 'widht'; did you mean width? known are B1, B2"),
        ("[net]\nwidth=16384\nheight=16384\nchannels=3\n[conv]", "an input of 3x16384x16384 is too large"),
        ("[net]\ninputs=4\ntime_steps=2000\n[rnn]", "time_steps=2000 is not possible, expected at most 1,024"),
    ],
)  # fmt: skip
def test_refusals(text: str, message: str) -> None:
    assert message in _refusal(text)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("[net]\nwidth=3", "a second [net]"),
        ("[convolutionnal]", "line 6: unknown section [convolutionnal]; did you mean convolutional?"),
        ("[banana]", "unknown section [banana]; known are Gaussian_yolo, activation, alternate_channels"),
        ("[conv]\nfilter=3", "[conv] has no key 'filter'; did you mean filters? known are activation"),
        ("[conv]\nfilters=-3", "line 7: filters=-3 is not possible, expected 1 or more"),
        ("[conv]\nfilters=1.5", "filters='1.5' is no whole number"),
        ("[conv]\nfilters=99999999999999999", "is no whole number"),
        ("[conv]\nfilters=70000", "filters=70000 is not possible, expected at most 65,536"),
        ("[conv]\nactivation=leakey", "activation='leakey' is unknown; did you mean leaky? known are elu, gelu"),
        ("[conv]\nfilters=6\ngroups=4", "groups=4 is not possible: it must divide both 4 channels and filters=6"),
        ("[conv]\nsize=13\nstride=2", "a map of 4x12x16 is too small for [conv] with size=13"),
        ("[conv]\nsize=4\ndilation=2\npad=1", "dilation=2 needs pad=1 and an odd size"),
        ("[conv]\nsize=3\npad=1\ndilation=16000", "would reach over 16,384 positions"),
        ("[conv]\n[maxpool]\n[conv]\nshare_index=1", "share_index: layer 1 has no weights that fit"),
        ("[conv]\nshare_index=5", "share_index=5 of layer 0 comes later: it is the first"),
        ("[maxpool]\nsize=3\npadding=5", "padding=5 is not possible: a window of size=3 would see nothing but"),
        ("[maxpool]\nmaxpool_depth=1\nout_channels=3", "out_channels=3 must divide the 4 channels"),
        ("[conv]\n[route]\nlayers=-1,4", "line 8: layers=4 of layer 1 comes later: expected -1 to -1 or 0 to 0"),
        ("[conv]\n[route]\nlayers=1", "layers=1 of layer 1 is itself"),
        ("[conv]\n[route]\nlayers=-2", "layers=-2 of layer 1 is missing"),
        ("[conv]\n[route]\nlayers=,", "layers='' is no whole number"),
        ("[conv]\n[route]", "[route] needs layers="),
        ("[route]\nlayers=-1", "layers=-1 of layer 0 is missing: it is the first"),
        ("[conv]\n[maxpool]\nstride=2\n[route]\nlayers=0,1", "joins maps of different size: layer 0 makes 1x12x16"),
        ("[conv]\nfilters=3\n[route]\nlayers=0\ngroups=2", "groups=2 must divide the 3 channels of layer 0"),
        ("[conv]\nfilters=4\n[route]\nlayers=0\ngroups=2\ngroup_id=2", "group_id=2 is not possible, expected at most"),
        ("[conv]\n[maxpool]\nstride_x=2\n[shortcut]\nfrom=0", "cannot add layer 0, which makes 1x12x16, to a map of"),
        ("[conv]\n[shortcut]\nfrom=0\nweights_type=all", "weights_type='all' is unknown; known are none, per_channel"),
        ("[conv]\n[scale_channels]\nfrom=0", "[scale_channels] needs a map of 1x1x1 before it"),
        ("[conv]\n[conv]\nfilters=2\n[sam]\nfrom=0", "[sam] needs a map of 1x12x16 before it"),
        ("[conv]\n[sam]\nfrom=0,0", "from= names 2 layers, expected one"),
        ("[implicit]\nfilters=2\n[conv]\n[shift_channels]\nfrom=0", "[shift_channels] needs a vector of 1 channels"),
        ("[upsample]\nstride=16384", "would make a map of 4x196608x262144"),
        ("[upsample]\nstride=-2", "stride=-2 is not possible, expected 1 or more"),
        ("[reorg]\nstride=3", "9 must divide the 4 channels"),
        ("[reorg3d]\nstride=5", "stride=5 must divide both sides of the map, which is 4x12x16"),
        ("[crop]\ncrop_height=13\ncrop_width=4", "a crop of 13x4 is larger than the map"),
        ("[local]\nsize=5\npad=1", "[local] with pad=1 needs size=3, not size=5"),
        ("[softmax]\ngroups=7", "groups=7 must divide the 768 inputs"),
        ("[softmax]\ntree=9k.tree", "the tree is in another file"),
        ("[softmax]\ntemperature=nan", "temperature='nan' is no number"),
        (f"[softmax]\ntemperature={'1' * 99}", "is no number"),
        ("[dropout]\nprobability=2", "probability=2 is not possible, expected 0 to 1"),
        ("[yolo]\nclasses=80\nmask=0,1,2", "[yolo] needs 255 channels (3 anchors x (80 classes + 5)): the layer"),
        ("[region]\nclasses=20\nnum=5", "[region] needs 125 channels"),
        ("[detection]", "[detection] needs 147 inputs (7x7 cells x ((1 + 1) x 1 boxes + 1 classes)), not 768"),
        ("[conv_lstm]\noutput=3\nsize=3", "[conv_lstm] needs stride=1, pad=1 and an odd size"),
        ("[conv_lstm]\noutput=3\nsize=1\nbottleneck=1", "only Darknet's graphics code defines it"),
        ("[crnn]\nhidden=4\noutput=3\nsize=1\ngroups=2", "groups=2 must divide output=3"),
    ],
)  # fmt: skip
def test_refused_layers(layers: str, message: str) -> None:
    assert message in _refusal(NET + layers)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(range(256)), "is no network file but binary data"),
        (b"\x7fELF\x02\x01", "line 1"),
        ("[net]\nwidth=\u0663\nheight=1\nchannels=1\n[conv]".encode(), "'\\u0663' is no whole number"),
        (b"[net]\n" + b"a" * 500_000 + b"=1\n[conv]", "has no key 'aaaa"),
        (b"[" * 100_000, "is no section"),
        (b"[net]\ninputs=3\n" + b"[connected]\n" * 10_000, "more than the 2,000 layers"),
        (b"[net]\nwidth=9\nheight=9\nchannels=65536\n[conv]\nfilters=65536\nsize=3", "1,073,741,824 parameters"),
        (b"[net]\nwidth=9\nheight=9\nchannels=3\n" + b"[upsample]\nstride=2\n" * 20, "too large"),
        (b"[net]\nwidth=512\nheight=512\nchannels=999\n" + b"[dropout]\n" * 99, "17,179,869,184 elements in its maps"),
        (b"[net]\ninputs=3\ntime_steps=1024\n" + b"[lstm]\n" * 3, "2,048 recurrent steps"),
        (b"[net]\ninputs=1\n[conn]\n[shortcut]\nfrom=" + b"0," * 30_000, "20,000 maps that layers read"),
        (b"[net]\ninputs=1\n[conn]\n[route]\nlayers=" + b"0," * 300_000, "at most 65,536 channels"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused_quickly(data: bytes, message: str) -> None:
    start = time.process_time()
    text = _refusal(data)
    assert message in text or (message == "too large" and "at most" in text)
    assert time.process_time() - start < 5


def test_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file .*missing\.cfg"):
        plan_cfg(tmp_path / "missing.cfg")
    with pytest.raises(SourceError, match="there is no file"):
        plan_cfg(tmp_path)
    with pytest.raises(SourceError, match=r"null byte|there is no file"):
        plan_cfg("a\0b.cfg")
    large = tmp_path / "large.cfg"
    large.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(SourceError, match="larger than the 1,048,576 bytes"):
        plan_cfg(large)
    good = tmp_path / "good.cfg"
    good.write_text(SAMPLES["plain"])
    assert load_cfg(good).input_shape == (1, 4, 12, 16)
    bad = tmp_path / "bad.cfg"
    bad.write_text(f"{NET}[conv]\nfilter=1")
    with pytest.raises(SourceError, match=r"bad\.cfg, line 7: "):
        load_cfg(bad)


def test_plans_need_no_torch() -> None:
    program = (
        "import sys; from cspanalyze.darknet import *; from cspanalyze.zoo.darknet_programs import sections;"
        "from cspanalyze.zoo import NETWORKS;"
        "plan = plan_network(sections(NETWORKS['darknet/cspresnet50'].config), ''); count_plan(plan);"
        "write_sections(plan.sections); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
