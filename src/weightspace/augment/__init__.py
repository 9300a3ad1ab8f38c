"""Random changes of networks, for training; the dicts list all there are, by name."""

from weightspace.augment.exact import Permutation, SignFlip
from weightspace.augment.mixup import AlignedMixUp, DirectMixUp, RandomisedMixUp
from weightspace.augment.noise import GaussianNoise

__all__ = ["AUGMENTATIONS", "MIXES"]

AUGMENTATIONS = {
    "permutation": Permutation,
    "sign_flip": SignFlip,
    "gaussian_noise": GaussianNoise,
}

MIXES = {
    "direct": DirectMixUp,
    "randomised": RandomisedMixUp,
    "aligned": AlignedMixUp,
}
