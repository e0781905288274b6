"""SAEs that others trained, and codes: checkpoints as five libraries save them, and sparse matrices.

Read as written by SAELens 6.54.12 (and its configurations before 6), dictionary_learning 0.1.0, overcomplete 0.3.0,
sparsify (eai-sparsify) 1.3.3 and ViT-Prisma 2.0.0; none of them need be installed. Nothing in a file is executed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from lib.checks import check_finite, check_zip, one_line
from lib.data.arrays import load_activations

WEIGHTS = ("sae_weights.safetensors", "sae.safetensors", "ae.pt", "weights.pt")  # as the libraries call them
LIBRARIES = "SAELens, dictionary_learning, overcomplete, sparsify and ViT-Prisma"
READABLE = f"readable are ReLU, TopK, BatchTopK, JumpReLU and gated SAEs as {LIBRARIES} save them"
BATCH_TOPK = ("batchtopk", "matryoshka_batchtopk")  # SAELens's, while they train; once trained they are jumprelu
SCALINGS = {"none": "none", "layer_norm": "layer_norm", "constant_norm_rescale": "constant_norm"}
PART = 2500  # stimuli encoded at a time


class Settings:
    """Stands for ViT-Prisma's configuration, pickled beside the weights: it holds the values and runs nothing."""


PICKLED = ("vit_prisma.sae.config.VisionModelSAERunnerConfig", "vit_prisma.configs.HookedViTConfig.HookedViTConfig")


@dataclass(frozen=True, eq=False, repr=False)
class PretrainedSAE:
    """A sparse autoencoder of any of the usual kinds, in one form. N units, F latents.

        pre = (x - d) E + c,   z = ReLU(pre) where it is among the k largest of its stimulus, or where pre > threshold
        x^ = z D + d

    with E `(N, F)`, c `(F,)`, D `(F, N)`, d `(N,)`, float32; without `centre`, x in place of x - d. TopK has k alone;
    JumpReLU and, once trained, BatchTopK and Matryoshka BatchTopK have a threshold alone, `(F,)` or a single one; ReLU
    has neither. A gated SAE is a JumpReLU one, since its gate shares the encoder (Rajamanoharan et al. 2024).
    """

    kind: str  # library and architecture
    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    k: int | None = None
    threshold: Tensor | None = None
    centre: bool = True
    normalise: str = "none"  # each stimulus first: none, layer_norm or constant_norm

    def __repr__(self):
        active = f", k = {self.k}" if self.k else ""
        return f"{self.kind} SAE: {len(self.encoder)} units, {len(self.decoder)} latents{active}"

    def normalised(self, y: Tensor) -> Tensor:
        """The responses x as the SAE sees and reconstructs them: each stimulus scaled, if it was trained so."""
        if self.normalise == "constant_norm":
            return y * (y.shape[-1] ** 0.5 / y.norm(dim=-1, keepdim=True).clamp_min(1e-30))
        if self.normalise == "layer_norm":
            y = y - y.mean(-1, keepdim=True)
            return y / (y.std(-1, keepdim=True) + 1e-5)
        return y

    def encode(self, y: Tensor) -> Tensor:
        """Codes `(stimuli, F)` of responses `y: (stimuli, N)` of the layer that the SAE was trained on; float32.

        Raises ValueError unless they are finite and of N units.
        """
        y = torch.as_tensor(y)
        if y.ndim != 2 or y.shape[1] != len(self.encoder):
            raise ValueError(
                f"y has shape {tuple(y.shape)}, and here is a {self!r}: give (stimuli, {len(self.encoder)}), "
                "responses of the layer it was trained on"
            )
        check_finite(y, "y")
        return torch.cat([self._encoded(part) for part in y.to(self.encoder).split(PART)])

    def _encoded(self, y):
        x = self.normalised(y)
        before = torch.addmm(self.encoder_bias, x - self.decoder_bias if self.centre else x, self.encoder)
        codes = before.relu()
        if self.k is not None:
            largest = codes.topk(self.k)
            codes = torch.zeros_like(codes).scatter_(1, largest.indices, largest.values)
        return codes if self.threshold is None else codes * (before > self.threshold)

    def decode(self, codes: Tensor) -> Tensor:
        """Reconstructions `(stimuli, N)` of `normalised(y)` from codes `(stimuli, F)`."""
        return torch.addmm(self.decoder_bias, codes.to(self.decoder), self.decoder)


def load_sae(path: str) -> PretrainedSAE:
    """The SAE in a checkpoint: its folder, or the file of weights with the library's configuration beside it.

    A state_dict of overcomplete does not say which latents are active. Add it to the path: `sae.pt:k=16` for a
    TopKSAE, `sae.pt:threshold=0.2` with the running_threshold of a BatchTopKSAE, `sae.pt:threshold=0` for a plain SAE.

    Raises ValueError, in one line, for what is missing, damaged, of another form, or would change the codes unseen.
    """
    file, told = _file_and_told(path)
    tensors, config = _contents(path, file)
    read = _reader(path, file, tensors, config)
    if told and (read is not _overcomplete or "thresholds" in tensors):
        raise ValueError(f"{path} says itself which latents are active: leave out what follows the last colon")
    try:
        sae = _checked(read(tensors, told if read is _overcomplete else config))
        _refuse(tensors, f"it also holds {_listed(tensors)}")
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}, which such an SAE has: copy the whole checkpoint anew") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:
        raise ValueError(
            f"{path} has weights or settings of another form ({type(error).__name__}): {READABLE}"
        ) from None
    return sae


def load_codes(path: str) -> Tensor:
    """Codes `(stimuli, latents)`, dense: of a CSR matrix by `scipy.sparse.save_npz`, or of a file of activations.

    Raises ValueError as `lib.data.arrays.load_activations` does.
    """
    from scipy.sparse import load_npz  # here, as it takes a third of a second to load

    file = Path(path).expanduser()
    if (file / "dataset_info.json").is_file():
        raise ValueError(
            f"{path} holds activations cached by SAELens, a folder of datasets: save a column, as numpy.save('y.npy', "
            "numpy.concatenate(datasets.load_from_disk(folder).with_format('numpy')[column]))"
        )
    try:
        matrix = load_npz(file)
    except Exception:  # a dense array, or damaged, or missing: that reader says which
        return load_activations(path)
    try:
        check_zip(file)
        matrix.check_format(full_check=True)  # else a place outside the matrix is written to as it stands
        codes = torch.from_numpy(matrix.toarray()).float()
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged, too large or not CSR; "
            "save it anew with scipy.sparse.save_npz(path, codes.tocsr())"
        ) from None
    if 0 in codes.shape:
        raise ValueError(f"{path} is empty, shape {tuple(codes.shape)}: give at least one stimulus and one latent")
    check_finite(codes, path)
    return codes


def brought_along(y: list[Tensor], saes: list[str], codes: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Codes of the stimuli and, of checkpoints, decoders: of a, of b, and again if there are second checkpoints.

    `y` are the responses of a and b, as the SAEs saw them; `saes` the paths of a and b and of second ones, `codes` of a
    and b, empty where there are none. Without any path both lists are empty. Raises ValueError unless both networks
    bring as much, checkpoints or codes.
    """
    given = [path for path in saes + codes if path]
    if given not in ([], saes[:2], saes, codes):
        raise ValueError(
            f"{', '.join(given)} given: bring sae_a and sae_b, and with them both of again_sae_a "
            "and again_sae_b or neither, or else codes_a and codes_b"
        )
    if not any(saes):
        return [load_codes(path) for path in given], []
    loaded = [load_sae(path) for path in given]
    found = []
    for i, (path, sae) in enumerate(zip(given, loaded, strict=True)):
        try:
            found.append(sae.encode(y[i % 2]))
        except ValueError as error:
            raise ValueError(f"{path} does not suit the responses of {'ab'[i % 2]}: {error}") from None
    return found, [sae.decoder for sae in loaded]


def _file_and_told(path):
    """The file of weights, and {"k" or "threshold": number} if the path ends in it."""
    found = None if Path(path).expanduser().exists() else re.fullmatch(r"(.+):(k|threshold)=([-+.\de]+)", path)
    place = Path(found[1] if found else path).expanduser()
    if place.is_dir():
        known = [place / name for name in WEIGHTS if (place / name).is_file()]
        others = [file for file in sorted(place.iterdir()) if file.suffix in (".safetensors", ".pt", ".pth")]
        if not known and len(others) != 1:
            raise ValueError(f"{path} holds {len(others)} files of weights, none called as usual: give the path of one")
        place = (known or others)[0]
    if not place.is_file():
        raise ValueError(f"{path} does not exist: check the path")
    return place, {found[2]: found[3]} if found else {}


def _contents(path, file) -> tuple[dict[str, Tensor], dict]:
    """The tensors by their names, and the configuration from the same file or from beside it."""
    try:
        if file.suffix == ".safetensors":
            stored = load_file(file)
        else:
            check_zip(file)
            with torch.serialization.safe_globals([(Settings, name) for name in PICKLED]):
                stored = torch.load(file, "cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged, or holds Python objects, which could run "
            "code; copy it anew, or save the weights alone with torch.save(sae.state_dict(), path)"
        ) from None
    config = {}
    if isinstance(stored, dict) and isinstance(stored.get("cfg"), Settings):
        config, stored = vars(stored["cfg"]), stored.get("state_dict")
    if not (isinstance(stored, dict) and stored and all(isinstance(value, Tensor) for value in stored.values())):
        raise ValueError(f"{path} holds no table of weights: {READABLE}")
    folder = file.parent.parent if file.parent.name == "checkpoints" else file.parent  # dictionary_learning's
    beside = [place for place in (folder / "cfg.json", folder / "config.json") if place.is_file()]
    if beside and not config:
        try:
            config = dict(json.loads(beside[0].read_text(encoding="utf-8")))
        except Exception as error:
            raise ValueError(f"{beside[0]} cannot be read ({type(error).__name__}): copy it anew") from None
    return {str(name): value for name, value in stored.items()}, config


def _reader(path, file, tensors, config) -> Callable[[dict, dict], dict]:
    """What reads these names and settings; it takes the tensors out that it uses."""
    if file.suffix == ".safetensors":
        if config and {"W_enc", "encoder.weight"} & set(tensors):
            return _sae_lens if "W_enc" in tensors else _sparsify
    elif any(name.startswith("dictionary.") for name in tensors):
        return _overcomplete
    elif "W_enc" in tensors and "activation_fn_str" in config:
        return _vit_prisma
    elif {"encoder.weight", "threshold"} & set(tensors):
        return _dictionary_learning
    beside = f"a configuration with {_listed(config)}" if config else "no cfg.json or config.json"
    raise ValueError(f"{path} holds {_listed(tensors)}, and {beside}: {READABLE}")


def _sae_lens(tensors, config):
    kind, activation = config.get("architecture", "standard"), config.get("activation_fn_str", "relu")
    if activation == "topk":  # before version 6
        kind, config["k"] = "topk", config["activation_fn_kwargs"]["k"]
    _refuse(activation not in ("relu", "topk"), f"its activation is {activation}")
    _refuse(kind not in ("standard", "topk", "jumprelu", "gated", *BATCH_TOPK), f"its architecture is {kind}")
    if "scaling_factor" in tensors and bool((tensors["scaling_factor"] == 1).all()):
        del tensors["scaling_factor"]
    fields = _shared(tensors, config) | {"kind": f"SAELens {kind}", "centre": config.get("apply_b_dec_to_input", True)}
    if kind == "gated":
        return fields | _gated(fields["encoder"], *map(tensors.pop, ("b_gate", "r_mag", "b_mag")))
    fields["encoder_bias"] = tensors.pop("b_enc")
    if kind == "topk":
        fields["k"] = config["k"]
    elif kind != "standard":
        fields["threshold"] = tensors.pop("topk_threshold" if kind in BATCH_TOPK else "threshold")
    return _folded(fields) if config.get("rescale_acts_by_decoder_norm") else fields


def _vit_prisma(tensors, config):
    kind, activation = config.get("architecture", "standard"), config["activation_fn_str"]
    _refuse(config.get("is_transcoder"), "it is a transcoder")
    _refuse(kind not in ("standard", "gated"), f"its architecture is {kind}")
    _refuse(activation not in ("relu", "topk"), f"its activation is {activation}")
    fields = _shared(tensors, config) | {"encoder_bias": tensors.pop("b_enc")}
    if kind == "gated":  # it holds b_enc too, and does not use it
        fields |= _gated(fields["encoder"], *map(tensors.pop, ("b_gate", "r_mag", "b_mag")))
    if activation == "topk":
        fields["k"] = config["activation_fn_kwargs"]["k"]
    return fields | {"kind": f"ViT-Prisma {kind} {activation}"}


def _sparsify(tensors, config):
    for name in ("transcode", "skip_connection", "signed"):
        _refuse(config.get(name), f"it was trained with {name}")
    activation = config.get("activation", "topk")
    _refuse(activation != "topk", f"its activation is {activation}")
    return {
        "kind": "sparsify topk",
        "encoder": tensors.pop("encoder.weight").mT,
        "encoder_bias": tensors.pop("encoder.bias"),
        "decoder": tensors.pop("W_dec"),
        "decoder_bias": tensors.pop("b_dec"),
        "k": config["k"],
    }


def _dictionary_learning(tensors, config):
    """Which of the library's classes it is; a fixed threshold of -1 (of BatchTopK, before it is set) makes a ReLU."""
    if "W_enc" in tensors:
        nested = "group_sizes" in tensors
        if nested:  # all of its groups are used, and its threshold in place of its k
            del tensors["group_sizes"], tensors["k"]
        fields = _shared(tensors, {}) | {"encoder_bias": tensors.pop("b_enc"), "threshold": tensors.pop("threshold")}
        return fields | {"kind": f"dictionary_learning {'Matryoshka' if nested else 'JumpReLU'}", "centre": nested}
    fields = {"encoder": tensors.pop("encoder.weight").mT, "decoder": tensors.pop("decoder.weight").mT}
    if "r_mag" in tensors:
        gate = _gated(fields["encoder"], *map(tensors.pop, ("gate_bias", "r_mag", "mag_bias")))
        return fields | gate | {"kind": "dictionary_learning gated", "decoder_bias": tensors.pop("decoder_bias")}
    fields |= {"kind": "dictionary_learning ReLU", "encoder_bias": tensors.pop("encoder.bias")}
    if "bias" in tensors:  # AutoEncoder, which folds as it loads
        return _folded(fields | {"decoder_bias": tensors.pop("bias")})
    if "decoder.bias" in tensors:  # AutoEncoderNew
        return fields | {"decoder_bias": tensors.pop("decoder.bias"), "centre": False}
    fields["decoder_bias"], k, threshold = map(tensors.pop, ("b_dec", "k", "threshold"))
    name = config.get("trainer", {}).get("dict_class")
    if name == "AutoEncoderTopK":
        return fields | {"kind": "dictionary_learning TopK", "k": int(k)}
    if name == "BatchTopKSAE":
        return fields | {"kind": "dictionary_learning BatchTopK", "threshold": threshold}
    raise ValueError(
        f"such weights are of an AutoEncoderTopK or of a BatchTopKSAE, and the configuration says {name}: "
        "put the config.json beside them that dictionary_learning wrote"
    )


def _overcomplete(tensors, told):
    if "dictionary.W" in tensors:  # archetypal: mixes of points, moved a little
        decoder = tensors.pop("dictionary.W") @ tensors.pop("dictionary.C") + tensors.pop("dictionary.Relax")
    else:
        decoder = tensors.pop("dictionary._weights")
    _refuse("encoder.final_block.0.weight" not in tensors, "its encoder is tied or not linear")
    fields = {
        "kind": "overcomplete",
        "encoder": tensors.pop("encoder.final_block.0.weight").mT,
        "encoder_bias": tensors.pop("encoder.final_block.0.bias"),
        "decoder": decoder * tensors.pop("dictionary.multiplier").exp(),
        "decoder_bias": torch.zeros(decoder.shape[-1]),
        "centre": False,
    }
    if "k" in told:
        return fields | {"k": int(told["k"])}
    if "thresholds" not in tensors and not told:
        raise ValueError(
            "overcomplete saves no k: add :k=16 to the path for a TopKSAE, :threshold=0.2 with the running_threshold "
            "of a BatchTopKSAE, or :threshold=0 for a plain SAE"
        )
    threshold = torch.tensor(float(told["threshold"])) if told else tensors.pop("thresholds").exp()
    return fields | {"threshold": threshold.nextafter(torch.tensor(-torch.inf))}  # this library keeps what equals it


def _shared(tensors, config):
    """What SAELens and the libraries that came from it call alike."""
    scaling = config.get("normalize_activations") or "none"
    _refuse(scaling not in SCALINGS, f"it takes responses scaled by {scaling}, with numbers it does not hold")
    names = {"encoder": "W_enc", "decoder": "W_dec", "decoder_bias": "b_dec"}
    return {ours: tensors.pop(name) for ours, name in names.items()} | {"normalise": SCALINGS[scaling]}


def _gated(encoder, gate_bias, r_mag, mag_bias):
    """Magnitude pre = exp(r) x E + m, and the gate x E + b > 0, which says pre > m - exp(r) b."""
    scale = r_mag.exp()
    return {"encoder": encoder * scale, "encoder_bias": mag_bias, "threshold": mag_bias - scale * gate_bias}


def _folded(fields):
    """The rows of the decoder brought to length 1, and their lengths into the codes."""
    norms = fields["decoder"].norm(dim=1)
    scaled = {name: fields[name] * norms for name in ("encoder", "encoder_bias")}
    return fields | scaled | {"decoder": fields["decoder"] / norms[:, None]}


def _refuse(condition, what):
    if condition:
        raise ValueError(f"{what}: {READABLE}")


def _checked(fields) -> PretrainedSAE:
    """The SAE in float32, if its shapes agree and its weights are finite."""
    units, latents = fields["encoder"].shape if fields["encoder"].ndim == 2 else (0, 0)
    shapes = {"encoder": (units, latents), "encoder_bias": (latents,)}
    shapes |= {"decoder": (latents, units), "decoder_bias": (units,), "threshold": (latents,)}
    for name in shapes.keys() & fields.keys():
        value, label = fields[name], name.replace("_", " ")
        single = name == "threshold" and value.ndim == 0
        if not (single or value.shape == shapes[name]) or not value.numel() or not value.is_floating_point():
            raise ValueError(
                f"its {label} is {value.dtype} of shape {tuple(value.shape)}, and {units} units with {latents} latents "
                f"need real numbers of shape {shapes[name]}: copy the checkpoint anew"
            )
        fields[name] = value.detach().float().contiguous()
        check_finite(fields[name], f"its {label}")
    k = fields.get("k", 1)
    if not (isinstance(k, int) and 1 <= k <= latents):
        raise ValueError(f"k is {k!r}, and of {latents} latents 1 to {latents} can be active: give such a number")
    return PretrainedSAE(**fields)


def _listed(names):
    names = [one_line(name) for name in names]
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
