"""From a chest to a CT scan of it: slice profile, in-plane transfer function of the kernel, noise of its spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from data_prep.lung_phantom.space import Field, Float32, Window

__all__ = ["Scanner"]

_FWHM = 2.3548
"""Full width at half maximum of a Gaussian with SD 1."""


@dataclass(frozen=True)
class Scanner:
    """How a scan was taken and reconstructed."""

    section_mm: float
    """Full width at half maximum of the slice profile."""
    fwhm_mm: float
    """The same of the in-plane point spread, before edge enhancement."""
    edge: float
    """Overshoot of the transfer function: 0 a soft kernel, about 1 a lung kernel."""
    noise_hu: float
    """SD of the noise in the middle of the chest."""
    noise_peak: float
    """Where the spectrum of the noise falls off, in cycles per mm."""
    uneven: float
    """SD of the noise level over the chest, as a share."""

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, section_mm: float | None, noise_hu: float | None, slice_mm: float
    ) -> Scanner:
        """One of many kinds, from smooth low-dose scans to sharp lung kernels; what is given is kept."""
        sharp = rng.random() < 0.4
        section = slice_mm * rng.uniform(0.85, 2.0)
        return cls(
            section_mm=min(max(section, 0.8), max(3.0, 1.2 * slice_mm)) if section_mm is None else section_mm,
            fwhm_mm=rng.uniform(0.5, 0.8) if sharp else rng.uniform(0.6, 1.35),
            edge=rng.uniform(0.3, 1.6) if sharp else max(0.0, rng.uniform(-0.3, 0.4)),
            noise_hu=float(np.exp(rng.uniform(np.log(12), np.log(60)))) if noise_hu is None else noise_hu,
            noise_peak=rng.uniform(0.4, 0.7) if sharp else rng.uniform(0.2, 0.45),
            uneven=rng.uniform(0.0, 0.25),
        )  # fmt: skip

    def scan(self, rng: np.random.Generator, hu: Float32, fine: Window, factor: int) -> Float32:
        """Image of a chest.

        Args:
            rng: source of randomness.
            hu: the chest (factor * Z, Y, X) without blur.
            fine: its grid.
            factor: slices of it in one of the scan.

        Returns:
            HU (Z,Y,X).
        """
        sigma = self.section_mm / _FWHM
        blurred = ndimage.gaussian_filter1d(hu, max(sigma / fine.spacing[0], 0.3), axis=0, mode="nearest", truncate=3.0)
        # the middle of a slice lies between two of the fine ones where their number is even
        middle = blurred[factor // 2 :: factor]
        slices = middle if factor % 2 else 0.5 * (middle + blurred[factor // 2 - 1 :: factor])
        step_z = fine.spacing[0] * factor
        return self._noisy(rng, slices, fine, step_z, 0.5 * sigma)

    def _noisy(self, rng: np.random.Generator, slices: Float32, fine: Window, step_z: float, sigma_z: float) -> Float32:
        """Transfer function and noise, both in the frequency domain of each slice."""
        ny, nx = slices.shape[1:]
        wide = (fft.next_fast_len(ny + 16, real=True), fft.next_fast_len(nx + 16, real=True))
        frequency = np.hypot(
            np.fft.fftfreq(wide[0], fine.spacing[1])[:, None], np.fft.rfftfreq(wide[1], fine.spacing[2])
        )
        transfer = self._transfer(frequency).astype(np.float32)
        spectrum = frequency * np.exp(-0.5 * (frequency / self.noise_peak) ** 2) + 0.02 * self.noise_peak
        white = rng.standard_normal((len(slices), *wide), dtype=np.float32)
        if sigma_z > 0.2 * step_z:
            white = ndimage.gaussian_filter1d(white, sigma_z / step_z, axis=0, mode="wrap")
        noise = fft.irfft2(fft.rfft2(white) * spectrum.astype(np.float32), s=wide)[:, :ny, :nx]
        level = Window((fine.origin[0], *fine.origin[1:]), (step_z, *fine.spacing[1:]), (len(slices), ny, nx))
        noise *= (
            np.float32(self.noise_hu)
            / noise.std()
            * (1 + np.float32(self.uneven) * Field(rng, 70.0, level.box).on(level))
        )
        padded = np.pad(slices, ((0, 0), (0, wide[0] - ny), (0, wide[1] - nx)), mode="symmetric")
        return fft.irfft2(fft.rfft2(padded) * transfer, s=wide)[:, :ny, :nx] + noise

    def _transfer(self, frequency: np.ndarray) -> np.ndarray:
        """Gaussian blur times a hump at middle frequencies, which makes edges overshoot."""
        blur = np.exp(-2.0 * (np.pi * self.fwhm_mm / _FWHM * frequency) ** 2)
        relative = frequency / 0.45
        return blur * (1.0 + self.edge * relative**2 * np.exp(1.0 - relative**2))
