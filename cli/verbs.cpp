// SPDX-License-Identifier: MIT

#include "cli/verb.h"

// One line per verb. X(name) declares and calls `std::unique_ptr<Verb> make_name()` of cli/name.cpp.
#define MNEME_VERBS(X)                                                                                       \
  X(recall)                                                                                                  \
  X(nearest)                                                                                                 \
  X(memory)                                                                                                  \
  X(reproduce)                                                                                               \
  X(theory)                                                                                                  \
  X(train)                                                                                                   \
  X(eval)                                                                                                    \
  X(plot)                                                                                                    \
  X(predict)                                                                                                 \
  X(generate)                                                                                                \
  X(inspect)                                                                                                 \
  X(verify)                                                                                                  \
  X(tokenize)                                                                                                \
  X(apply)                                                                                                   \
  X(data)                                                                                                    \
  X(doctor)                                                                                                  \
  X(completion)

namespace mneme::cli {

#define MNEME_DECLARE_VERB(name) std::unique_ptr<Verb> make_##name();
MNEME_VERBS(MNEME_DECLARE_VERB)

std::vector<std::unique_ptr<Verb>> all_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
#define MNEME_ADD_VERB(name) verbs.push_back(make_##name());
  MNEME_VERBS(MNEME_ADD_VERB)
  return verbs;
}

} // namespace mneme::cli
