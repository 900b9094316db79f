// SPDX-License-Identifier: MIT

/// Classical and modern Hopfield networks, and dense associative memory.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Classical Hopfield network: weight matrix P P^T with a zero diagonal, synchronous updates; a tie gives 0
/// (or -1).
///
/// Synchronous updates, unlike Hopfield's of one bit at a time, may increase the energy, and may alternate
/// between two states.
/// Source  Hopfield 1982. Of random patterns of n bits, most are recalled without errors up to about
///         n / (2 ln n), all of them up to half as many (McEliece, Posner, Rodemich & Venkatesh 1987), and
///         with few wrong bits up to about 0.138 n.
AssociateOptions<BitPatterns> classical_hopfield();

/// Number of random patterns of n bits up to which a classical network has a fixed point near each of them:
/// 0.138 n (Amit, Gutfreund & Sompolinsky 1985). Near this number some bits of the fixed points are wrong.
///
/// Errors  UsageError if bits < 0
double classical_hopfield_capacity(int64_t bits);

/// Modern Hopfield network on real patterns: softmax(beta dot product), average.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", update rule (eq. 3)
AssociateOptions<RealPatterns> modern_hopfield(double beta);

/// Dense associative memory: weights max(dot product, 0)^degree, scaled to sum 1.
///
/// Source  Krotov & Hopfield 2016, whose n is the exponent of the energy: n = degree + 1
AssociateOptions<RealPatterns> dense_associative_memory(double degree = 3);

} // namespace mneme
