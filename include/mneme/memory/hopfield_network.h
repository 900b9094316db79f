// SPDX-License-Identifier: MIT

/// Hopfield networks, old and new, as choices of similarity, separation and projection.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Classical network: weights P P^T without diagonal, all components updated together, a tie gives 0 (or -1).
///
/// Source  Hopfield 1982. Holds about 0.138 n random patterns.
AssociateOptions<BitPatterns> classical_hopfield();

/// Random patterns of n bits that a classical network can hold: 0.138 n (Amit, Gutfreund & Sompolinsky 1985).
double classical_hopfield_capacity(int64_t bits);

/// Modern network on real patterns: softmax(beta dot product), average.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", update rule (eq. 3)
AssociateOptions<RealPatterns> modern_hopfield(double beta);

/// Dense associative memory: weights max(dot product, 0)^degree, scaled to sum 1.
///
/// Source  Krotov & Hopfield 2016
AssociateOptions<RealPatterns> dense_associative_memory(double degree = 3);

} // namespace mneme
