"""Random changes of networks, for training; the dicts list all there are, by name."""

from weightspace.augment.dropout import Dropout, QuantileDropout
from weightspace.augment.exact import Permutation, PhaseShift, SignFlip
from weightspace.augment.input_space import Rotate, Scale, Translate
from weightspace.augment.leaky import LeakyMixUp
from weightspace.augment.mixup import AlignedMixUp, DirectMixUp, RandomisedMixUp
from weightspace.augment.noise import GaussianNoise
from weightspace.augment.self_mixup import SelfMixUp

__all__ = ["AUGMENTATIONS", "MIXES"]

AUGMENTATIONS = {
    "rotate": Rotate,
    "scale": Scale,
    "translate": Translate,
    "gaussian_noise": GaussianNoise,
    "dropout": Dropout,
    "quantile_dropout": QuantileDropout,
    "sign_flip": SignFlip,
    "phase_shift": PhaseShift,
    "permutation": Permutation,
    "self_mixup": SelfMixUp,
}

MIXES = {
    "direct": DirectMixUp,
    "randomised": RandomisedMixUp,
    "aligned": AlignedMixUp,
    "leaky": LeakyMixUp,
}
