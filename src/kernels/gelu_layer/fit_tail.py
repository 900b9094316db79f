# SPDX-License-Identifier: MIT
"""Prints the coefficients in gelu-inl.h: polynomials in t = (y - K) / (y + K) that approximate (1 + 2y) exp(y^2) erfc(y), y >= 0.

Chebyshev interpolation in 40 digits. Needs mpmath, which PyTorch depends on."""

from mpmath import chebyt, cos, erfc, exp, mp, mpf, pi, sqrt, taylor

mp.dps = 40
K, NODES = mpf("3.75"), 400
DEGREES = {"double": 20, "float": 11}


def scaled_tail(t):
    y = K * (1 + t) / (1 - t)
    if y < 60:
        return (1 + 2 * y) * exp(y * y) * erfc(y)
    series = sum(mp.fac2(2 * n - 1) * (-1) ** n / (2 * y * y) ** n for n in range(10))
    return (1 + 2 * y) / (sqrt(pi) * y) * series


angles = [pi * (j + mpf(1) / 2) / NODES for j in range(NODES)]
values = [scaled_tail(cos(angle)) for angle in angles]
for number, degree in DEGREES.items():
    monomials = [mpf(0)] * (degree + 1)
    for i in range(degree + 1):
        weight = 2 / mpf(NODES) * sum(v * cos(i * angle) for v, angle in zip(values, angles))
        for power, coefficient in enumerate(taylor(lambda x: chebyt(i, x), 0, i)):
            monomials[power] += (weight / 2 if i == 0 else weight) * coefficient
    error = max(abs(sum(c * cos(a) ** n for n, c in enumerate(monomials)) - v) for a, v in zip(angles, values))
    print(number, "max error", mp.nstr(error, 3))
    for coefficient in monomials:
        print(f"    {mp.nstr(coefficient, 18)},")
