// SPDX-License-Identifier: MIT

/// Exception types. The library throws them; only the program converts them to exit codes.
///
/// A message states what failed and where, with both sides of a failed comparison, and ends with how to fix
/// it.
#pragma once

#include <stdexcept>
#include <string>

namespace mneme {

/// Base class.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Invalid arguments. Exit code 2.
class UsageError : public Error {
public:
  using Error::Error;
};

/// An input file is missing, unreadable, truncated or not of the format that it claims. Exit code 3.
class DataError : public Error {
public:
  using Error::Error;
};

/// This build, CPU or machine does not support the request. Exit code 1.
class UnsupportedError : public Error {
public:
  using Error::Error;
};

/// A result could not be written (disk full, no permission). No partial file is left. Exit code 1.
class OutputError : public Error {
public:
  using Error::Error;
};

/// The computation was interrupted (Ctrl-C) and stopped at a safe point. Exit code 130.
class Interrupted : public Error {
public:
  Interrupted();
};

} // namespace mneme
