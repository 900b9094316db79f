// SPDX-License-Identifier: MIT

/// One function object from several lambdas, for std::visit.
#pragma once

namespace mneme {

template <class... Cases> struct Overloaded : Cases... { using Cases::operator()...; };
template <class... Cases> Overloaded(Cases...) -> Overloaded<Cases...>;

} // namespace mneme
